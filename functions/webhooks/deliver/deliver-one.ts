import { setMaxListeners } from 'node:events';
import { Interrupted, pause, unlessInterrupted } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { eventId } from '../../events/event-id.js';
import { Log } from '../../platform/telemetry/log.js';
import { DeliveriesRepository, LEASE_MS } from './deliveries.repository.js';
import type { Answer, Claim, Verdict } from './delivery.js';
import type { InFlight } from './in-flight.js';
import { Outage } from './outage.js';
import { requestOf } from './request/request.js';
import { REQUEST_MS, SendWebhook } from './request/send.js';
import { verdictOf } from './retry.js';
import { type AttemptOutcome, WebhooksMeter } from './webhooks-meter.js';

/** For settling it, a second time where a connection has fallen silent. */
const SETTLE_MS = 5_000;
/** From the claim: a request that began later might end after its lease, and be sent twice. */
const BEGIN_WITHIN_MS = LEASE_MS - REQUEST_MS - SETTLE_MS;

/** Of the claims of one statement: how long their requests may still begin. */
export class Lease {
  readonly #beginBy: number;
  /** Aborts when no request may begin any more, if this process has the time. */
  readonly over: AbortSignal;

  constructor(beginWithinMs = BEGIN_WITHIN_MS) {
    this.#beginBy = performance.now() + beginWithinMs;
    this.over = AbortSignal.timeout(beginWithinMs);
    setMaxListeners(0, this.over);
  }

  /** By the clock, which no late timer changes. */
  get leftMs(): number {
    return this.#beginBy - performance.now();
  }
}

/** A run of a sender. */
export interface Run {
  inFlight: InFlight;
  /** Begin no more requests. */
  stop: AbortSignal;
  /** Stop waiting for PostgreSQL, too. */
  giveUp: AbortSignal;
}

/** Brings one claim to its end: sent and settled, or given back. */
@Injectable()
export class DeliverOne {
  constructor(
    private readonly repository: DeliveriesRepository,
    private readonly sender: SendWebhook,
    private readonly outage: Outage,
    private readonly meter: WebhooksMeter,
    private readonly log: Log,
  ) {}

  /**
   * Returns how the attempt ended; `unsent`: the claim is given back, or its lease ends by itself; `unsettled`: PostgreSQL was
   * away for too long, and the same may be sent again. Rejects only with a bug.
   */
  async deliver(claim: Claim, lease: Lease, run: Run): Promise<AttemptOutcome | 'unsent' | 'unsettled'> {
    run.inFlight.begin(claim);
    let placed = false;
    try {
      await pause(run.stop, claim.waitMs); // 1 its slot
      placed = await run.inFlight.place(claim, lease.leftMs); // 2 memory
      const request = placed ? await this.#load(claim, lease) : undefined; // 3 what to send
      // guard: never sent after the lease, whatever has held up this process: another sender has it then
      if (!request || run.stop.aborted || lease.leftMs <= 0) return await this.#release(claim, run.giveUp);
      const answer = await this.sender.send(request.url, request.headers, request.body); // 4 send
      const verdict = verdictOf(answer, request.row);
      return await this.#settle(claim, request.url, answer, verdict, run.giveUp); // 5 settle
    } finally {
      run.inFlight.end(claim, placed);
    }
  }

  /** The request, and no more than that is kept: its message may have megabytes. */
  async #load(claim: Claim, lease: Lease) {
    try {
      const outgoing = await this.outage.despite(lease.over, () => this.repository.load(claim));
      return outgoing && { url: outgoing.url, row: outgoing.row, ...requestOf(outgoing, Date.now()) };
    } catch (error) {
      if (error instanceof Interrupted) return undefined;
      throw error;
    }
  }

  /** Once: a second one would give it an attempt too many. Where it fails, the lease ends by itself. */
  async #release(claim: Claim, giveUp: AbortSignal): Promise<'unsent'> {
    const released = this.repository.release(claim).catch((error: unknown) => {
      this.log.debug({ ...namesOf(claim), err: error }, 'a webhook was not given back; its lease ends by itself');
    });
    await unlessInterrupted(giveUp, released).catch(() => {});
    return 'unsent';
  }

  async #settle(
    claim: Claim,
    url: string,
    answer: Answer,
    verdict: Verdict,
    giveUp: AbortSignal,
  ): Promise<AttemptOutcome | 'unsettled'> {
    try {
      const settled = await this.outage.despite(giveUp, () => this.repository.settle(claim, answer, verdict));
      const outcome = outcomeOf(settled, verdict);
      this.meter.count(outcome);
      const { status, error, tookMs } = answer;
      this.log.debug({ ...namesOf(claim), outcome, status, error, took_ms: tookMs }, 'webhook settled');
      // A void failure says nothing of now, but that the endpoint is gone does.
      if (verdict.gone || (settled && !verdict.ok)) await this.#disable(claim, url, verdict, giveUp);
      return outcome;
    } catch (error) {
      if (error instanceof Interrupted) return 'unsettled';
      throw error;
    }
  }

  async #disable(claim: Claim, url: string, { gone }: Verdict, giveUp: AbortSignal): Promise<void> {
    const reason = gone ? 'gone' : 'failing';
    const company = await this.outage.despite(giveUp, () => this.repository.disable(claim, url, reason));
    if (company === undefined) return;
    const fields = { endpoint_id: claim.endpointId, company_id: company, reason };
    const why = gone ? 'it answered 410' : 'it has taken nothing for five days';
    this.log.warn(fields, `an endpoint is disabled: ${why}`);
  }
}

function outcomeOf(settled: boolean, { ok, dead }: Verdict): AttemptOutcome {
  if (!settled) return 'void';
  if (ok) return 'delivered';
  return dead ? 'dead' : 'failed';
}

/** Of a log line: an endpoint's URL may have a token in it, and stays out. */
export function namesOf({ endpointId, eventId: id, attempt }: Claim) {
  return { endpoint_id: endpointId, event_id: eventId(id), attempt };
}
