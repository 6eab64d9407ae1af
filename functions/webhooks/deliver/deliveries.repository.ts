import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import type { Answer, Claim, Outgoing, Verdict } from './delivery.js';

/** How long a claim is its sender's alone. */
export const LEASE_MS = 30_000;
/** A statement that takes longer has failed. After its request a lease has 5 s left: a second try begins before its end. */
const SILENT_MS = 4_000;

interface ClaimRow {
  endpoint_id: string;
  event_id: string;
  attempt: number;
  wait_ms: number;
  claimed: string;
  bytes: number;
}

interface OutgoingRow {
  url: string;
  secret: string;
  old_secret: string | null;
  row: number;
  id: string;
  name: string;
  version: number;
  client_id: string;
  message: string;
  time: string | null;
  received_at: Date;
}

/**
 * The statements of the sender: claims, what to send, how attempts ended. None waits for a connection that has fallen silent: a
 * claim whose answer is lost is free again when its lease ends.
 */
@Injectable()
export class DeliveriesRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Claims what is due, of so many endpoints at most and so much of each, but of none that is busy. Clocks of machines differ:
   * PostgreSQL says how long it is until a slot.
   */
  async claim(endpoints: number, perEndpoint: number, busy: readonly string[]): Promise<Claim[]> {
    const rows = await this.#query<ClaimRow>(
      `SELECT c.endpoint_id, c.event_id, c.attempt, c.claimed::text AS claimed,
              greatest(0, extract(epoch FROM c.at - clock_timestamp()) * 1000)::float8 AS wait_ms,
              (SELECT octet_length(e.message) FROM events e WHERE e.id = c.event_id) AS bytes
         FROM claim_deliveries($1, $2, $3 * interval '1 ms', $4) AS c`,
      [endpoints, perEndpoint, LEASE_MS, busy],
    );
    return rows.map(({ endpoint_id, event_id, attempt, wait_ms, claimed, bytes }) => ({
      endpointId: endpoint_id,
      eventId: event_id,
      attempt,
      waitMs: wait_ms,
      claimed,
      bytes,
    }));
  }

  /**
   * What to send for a claim. Undefined where it must not be sent: its lease has ended, an older claim has delivered it, or
   * the endpoint is disabled or deleted.
   */
  async load({ eventId, endpointId, attempt }: Claim): Promise<Outgoing | undefined> {
    const found = await this.#one<OutgoingRow>(
      `SELECT p.url, p.secret, CASE WHEN p.old_secret_until > clock_timestamp() THEN p.old_secret END AS old_secret,
              d.attempts - d.round_from AS row, e.id, t.name, t.version, e.client_id, e.message, e.received_at,
              to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time
         FROM event_deliveries d
         JOIN event_endpoints p ON p.id = d.endpoint_id
         JOIN events e ON e.id = d.event_id
         JOIN event_types t ON t.id = e.type_id
        WHERE d.event_id = $1 AND d.endpoint_id = $2 AND d.attempts = $3 AND d.due_at > clock_timestamp()
          AND NOT p.deleted AND p.disabled_at IS NULL`,
      [eventId, endpointId, attempt],
    );
    if (!found) return undefined;
    const { url, secret, old_secret, row, id, name, version, client_id, message, time, received_at } = found;
    return {
      url,
      secrets: old_secret === null ? [secret] : [secret, old_secret],
      row,
      event: { id, type: name, version, clientId: client_id, message, time, receivedAt: received_at },
    };
  }

  /** The end of an attempt, also when it is said twice. False: it changed nothing. Contended while its endpoint is locked. */
  async settle(claim: Claim, answer: Answer, { ok, dead, waitMs }: Verdict): Promise<boolean> {
    const row = await this.#one<{ settled: boolean }>(
      `SELECT settle_delivery($1, $2, $3, $4, $5, $6 * interval '1 ms', $7, $8, $9, $10, $11::timestamptz) AS settled`,
      [
        claim.endpointId,
        claim.eventId,
        claim.attempt,
        ok,
        dead,
        waitMs,
        answer.status,
        answer.error,
        answer.tookMs,
        answer.response,
        claim.claimed,
      ],
    );
    return row?.settled ?? false;
  }

  /** Gives a claim back that was not sent: it is due again, and has used up no attempt. To be called once a claim. */
  async release({ eventId, endpointId, attempt }: Claim): Promise<void> {
    await this.#query(
      `UPDATE event_deliveries SET due_at = clock_timestamp(), round_from = round_from + 1
        WHERE event_id = $1 AND endpoint_id = $2 AND attempts = $3 AND due_at IS NOT NULL
          -- guard: since an older claim delivered it and a member replayed it, this one has no part in the round
          AND round_from < attempts`,
      [eventId, endpointId, attempt],
    );
  }

  /**
   * Disables the endpoint of a claim that went to this URL: `gone`, or `failing` if it has failed for five days. Returns its
   * company, or undefined if it did not. Contended while the endpoint is locked.
   */
  async disable(claim: Claim, url: string, reason: 'gone' | 'failing'): Promise<string | undefined> {
    const row = await this.#one<{ company_id: string }>(
      `UPDATE event_endpoints SET disabled_at = clock_timestamp(), disabled_reason = $4
        WHERE id = $1 AND NOT deleted AND disabled_at IS NULL
          -- guard: what an endpoint answered before somebody changed or enabled it says nothing of it now
          AND url = $3 AND enabled_at <= $2::timestamptz
          AND ($4 = 'gone' OR (failures >= 5 AND failing_since < clock_timestamp() - interval '5 days'))
          -- in effect before the row is locked; as in settle_delivery
          AND set_config('lock_timeout', '250ms', true) IS NOT NULL
        RETURNING company_id`,
      [claim.endpointId, claim.claimed, url, reason],
    );
    return row?.company_id;
  }

  #query<T>(text: string, values: unknown[]): Promise<T[]> {
    return this.postgres.unlessSilent(() => this.postgres.query<T>(text, values), SILENT_MS);
  }

  async #one<T>(text: string, values: unknown[]): Promise<T | undefined> {
    return (await this.#query<T>(text, values))[0];
  }
}
