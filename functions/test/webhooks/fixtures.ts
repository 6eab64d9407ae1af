import { randomBytes } from 'node:crypto';
import cuid2 from '@paralleldrive/cuid2';
import type { Process } from '../../../testing/process.js';
import { Receiver } from '../../../testing/receiver.js';
import type { StageOptions } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { eventId } from '../../events/event-id.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { DeliverOne } from '../../webhooks/deliver/deliver-one.js';
import { DeliverWebhooks } from '../../webhooks/deliver/deliver-webhooks.js';
import { DeliveriesRepository } from '../../webhooks/deliver/deliveries.repository.js';
import { Outage } from '../../webhooks/deliver/outage.js';
import { SendWebhook } from '../../webhooks/deliver/request/send.js';
import { WebhooksMeter } from '../../webhooks/deliver/webhooks-meter.js';
import { EventsStage } from '../events/fixtures.js';

/** A row of `event_endpoints` to be; what is left out is as the table has it. */
export interface EndpointSeed {
  companyId?: string;
  clientId?: string;
  typeNames?: string[];
  secret?: string;
  ratePerS?: number;
}

/** What became of a delivery. */
export interface DeliveryRow {
  event_id: string;
  attempts: number;
  round_from: number;
  state: 'due' | 'delivered' | 'dead';
  /** Seconds from now until it is due; null: it is not. */
  due_in_s: number | null;
}

/** A row of the log of attempts. */
export interface AttemptRow {
  event_id: string;
  attempt: number;
  status: number | null;
  error: string | null;
}

/** An endpoint and what answers there. */
export interface Target {
  id: string;
  receiver: Receiver;
}

/** Real stores with what is registered for events, endpoints with real receivers, and senders. */
export class WebhooksStage {
  readonly #receivers: Receiver[] = [];
  readonly #senders: Sender[] = [];

  private constructor(readonly events: EventsStage) {}

  static async open(options: StageOptions = {}): Promise<WebhooksStage> {
    return new WebhooksStage(await EventsStage.open({ prefix: 'webhooks', ...options }));
  }

  readonly sql = <T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> =>
    this.events.sql<T>(text, values);

  /** An endpoint of Acme at a receiver of its own. */
  async target(answer?: Receiver['answer'], seed: EndpointSeed = {}): Promise<Target> {
    const receiver = await Receiver.open(answer);
    this.#receivers.push(receiver);
    return { id: await this.endpoint(receiver.url, seed), receiver };
  }

  /** An endpoint by SQL; the version of the registry is raised last. */
  async endpoint(url: string, seed: EndpointSeed = {}): Promise<string> {
    const id = cuid2.createId();
    const secret = seed.secret ?? `whsec_${randomBytes(24).toString('base64')}`;
    await this.sql(
      `INSERT INTO event_endpoints (id, company_id, client_id, url, type_names, secret, rate_per_s)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [
        id,
        seed.companyId ?? this.events.acme,
        seed.clientId,
        url,
        seed.typeNames,
        secret,
        // As fast as it may be, where a test is not about the rate.
        seed.ratePerS ?? 1_000,
      ],
    );
    await this.events.raise();
    return id;
  }

  /** Stores events of Acme's `client-1` by the real call, which owes them to endpoints. Returns their ids. */
  async store(count: number, message = '{"user":7}'): Promise<string[]> {
    const keys = Array.from({ length: count }, () => `p:${cuid2.createId()}`);
    const rows = await this.sql<{ event_id: string }>(
      `WITH one AS (SELECT id FROM event_types WHERE company_id = $2 AND name = 'open')
       SELECT s.event_id FROM store_events((SELECT version FROM event_registry), false, ARRAY(SELECT generate_series(1, $1::int)),
         array_fill('client-1'::text, ARRAY[$1]), array_fill((SELECT id FROM one), ARRAY[$1]), $3::text[],
         array_fill($4::text, ARRAY[$1]), array_fill(''::bytea, ARRAY[$1]), array_fill(NULL::timestamptz, ARRAY[$1]),
         array_fill(NULL::text, ARRAY[$1]), array_fill(NULL::text, ARRAY[$1]), array_fill($2::text, ARRAY[$1])) AS s ORDER BY s.n`,
      [count, this.events.acme, keys, message],
    );
    if (rows.some(({ event_id }) => event_id === null)) throw new Error('not stored');
    return rows.map(({ event_id }) => event_id);
  }

  deliveries(endpointId: string): Promise<DeliveryRow[]> {
    return this.sql<DeliveryRow>(
      `SELECT event_id, attempts, round_from, extract(epoch FROM due_at - clock_timestamp())::float8 AS due_in_s,
              CASE WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN dead_at IS NOT NULL THEN 'dead' ELSE 'due' END AS state
         FROM event_deliveries WHERE endpoint_id = $1 ORDER BY event_id`,
      [endpointId],
    );
  }

  attempts(endpointId: string): Promise<AttemptRow[]> {
    return this.sql<AttemptRow>(
      'SELECT event_id, attempt, status, error FROM event_attempts WHERE endpoint_id = $1 ORDER BY event_id, attempt',
      [endpointId],
    );
  }

  /** Waits until so many of its deliveries are in this state. */
  async untilState(endpointId: string, state: DeliveryRow['state'], count: number, withinMs?: number): Promise<void> {
    await until(
      async () => {
        const found = (await this.deliveries(endpointId)).filter((row) => row.state === state).length;
        if (found < count) throw new Error(`${found} of ${count} are ${state}`);
      },
      withinMs === undefined ? {} : { withinMs },
    );
  }

  /** Time passes for an endpoint and what is owed to it: its rows are moved back. */
  async passes(endpointId: string, time: string): Promise<void> {
    await this.sql(
      `UPDATE event_endpoints SET next_slot_at = next_slot_at - $2::interval, open_until = open_until - $2::interval,
         probing_since = probing_since - $2::interval, failing_since = failing_since - $2::interval,
         enabled_at = enabled_at - $2::interval, last_success_at = last_success_at - $2::interval WHERE id = $1`,
      [endpointId, time],
    );
    await this.sql('UPDATE event_deliveries SET due_at = due_at - $2::interval WHERE endpoint_id = $1', [
      endpointId,
      time,
    ]);
  }

  /** A sender in this process. `databaseUrl`: another way to the same database. */
  sender(databaseUrl = this.events.stores.env.DATABASE_URL): Sender {
    const sender = new Sender(databaseUrl);
    this.#senders.push(sender);
    return sender;
  }

  /** A sender in a process of its own: the plain server. */
  server(env: Record<string, string> = {}): Process {
    return this.events.server({ API_PORT: '0', EVENTS_PREFETCH: '0', WEBHOOKS_ALLOW_PRIVATE: 'true', ...env });
  }

  /** Removes all events and endpoints, and ends the receivers. */
  async clear(): Promise<void> {
    await Promise.all(this.#receivers.splice(0).map((receiver) => receiver.close()));
    // Of a sender that still works the truncation may be the victim of a deadlock.
    await until(() => this.sql('TRUNCATE events, event_quarantine, event_deliveries, event_endpoints, event_attempts'));
  }

  async close(): Promise<void> {
    await Promise.all(this.#receivers.map((receiver) => receiver.close()));
    await Promise.all(this.#senders.map((sender) => sender.postgres.close()));
    await this.events.close();
  }
}

/** The real sender on a pool of its own, and what it has logged. */
export class Sender {
  readonly lines: { level: string; fields: Record<string, unknown>; sentence: string }[] = [];
  readonly postgres: Postgres;
  readonly repository: DeliveriesRepository;
  readonly webhooks: DeliverWebhooks;
  readonly one: DeliverOne;

  constructor(databaseUrl: string) {
    const config = { databaseUrl, webhooksAllowPrivate: true } as Config;
    const log = Object.fromEntries(
      ['debug', 'info', 'warn', 'error'].map((level) => [
        level,
        (fields: Record<string, unknown>, sentence: string) => this.lines.push({ level, fields, sentence }),
      ]),
    ) as unknown as Log;
    this.postgres = new Postgres(config);
    this.repository = new DeliveriesRepository(this.postgres);
    const outage = new Outage(this.postgres, log);
    const meter = new WebhooksMeter(log, new Metrics());
    this.one = new DeliverOne(this.repository, new SendWebhook(config), outage, meter, log);
    this.webhooks = new DeliverWebhooks(this.repository, this.one, outage, log);
  }

  /** Sends what is due now, as a function does. Returns how many attempts ended in which way; none is left out. */
  async pass(stop: AbortSignal = new AbortController().signal): Promise<Record<string, number>> {
    const counts = await this.webhooks.pass(stop);
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  }

  said(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ sentence }) => sentence);
  }
}

/** As a request names an event. */
export const webhookId = (event: string): string => eventId(event);
