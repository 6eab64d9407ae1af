import { setMaxListeners } from 'node:events';
import { pause } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import type { Counts } from '../../platform/duties.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { DeliverOne, Lease, namesOf, type Run } from './deliver-one.js';
import { DeliveriesRepository } from './deliveries.repository.js';
import type { Claim } from './delivery.js';
import { InFlight, PER_ENDPOINT } from './in-flight.js';
import { Outage } from './outage.js';
import { type AttemptOutcome, none } from './webhooks-meter.js';

/** Without news the store is looked at after this time: an event may have come, or a wait may be over. */
const LOOK_MS = 1_000;
/** From the stop on: requests take 15 s at most. The plain server has 25 s to end, a function 20 s. */
const GIVE_UP_MS = 18_000;
/** After an outage: what was answered meanwhile is settled first, by us and by others, and not claimed again. */
const SETTLE_FIRST_MS = 2_000;

/** Begins with a claim, which is then under way. */
type Begin = (claim: Claim, lease: Lease) => void;

/** Sends what is owed to endpoints. */
@Injectable()
export class DeliverWebhooks {
  constructor(
    private readonly repository: DeliveriesRepository,
    private readonly one: DeliverOne,
    private readonly outage: Outage,
    private readonly log: Log,
  ) {}

  /** For the plain server: until told to stop. Then it claims no more, lets requests end, and settles them. */
  async loop(stop: AbortSignal): Promise<void> {
    await this.#run(stop, () => false);
  }

  /**
   * For a function: until nothing is due that may be sent, or told to stop. Returns how many attempts ended in which way, when
   * none is under way any more.
   */
  pass(stop: AbortSignal): Promise<Counts & Record<AttemptOutcome, number>> {
    return this.#run(stop, ({ inFlight }) => inFlight.requests === 0);
  }

  /** One claim, of as much as there is place for. */
  async runNext({ inFlight }: Run, begin: Begin): Promise<'claimed' | 'nothing'> {
    const endpoints = inFlight.endpoints();
    if (endpoints === 0) return 'nothing';
    // guard: from before the claim, so that it ends here before it does in PostgreSQL
    const lease = new Lease();
    const claims = await this.repository.claim(endpoints, PER_ENDPOINT, inFlight.busy());
    for (const claim of claims) begin(claim, lease);
    return claims.length > 0 ? 'claimed' : 'nothing';
  }

  /** Until told to stop, or nothing was claimed and `isOver`. Resolves when nothing is under way. */
  async #run(stop: AbortSignal, isOver: (run: Run) => boolean) {
    const { run, close } = runUntil(stop);
    const counts = none();
    const underWay = new Set<Promise<void>>();
    const begin: Begin = (claim, lease) => {
      const ended = this.#deliver(claim, lease, run, counts).finally(() => underWay.delete(ended));
      underWay.add(ended);
    };
    try {
      while (!run.stop.aborted) {
        const next = await this.#next(run, begin);
        if (next === 'nothing' && isOver(run)) break;
        if (next === 'nothing') await run.inFlight.untilMore(LOOK_MS);
      }
    } finally {
      await Promise.all(underWay);
      close();
    }
    return counts;
  }

  /** As `runNext`, but for outages: `back`, when one is over. */
  async #next(run: Run, begin: Begin): Promise<'claimed' | 'nothing' | 'back'> {
    try {
      if (!this.outage.isOn) return await this.runNext(run, begin);
      await this.outage.over(run.stop);
    } catch (error) {
      if (isContended(error)) return 'nothing';
      if (!(error instanceof ServiceUnavailable)) throw error;
      await this.outage.over(run.stop, error);
    }
    await pause(run.stop, SETTLE_FIRST_MS);
    return 'back';
  }

  async #deliver(claim: Claim, lease: Lease, run: Run, counts: Record<AttemptOutcome, number>): Promise<void> {
    const names = namesOf(claim);
    try {
      const ended = await this.one.deliver(claim, lease, run);
      if (ended === 'unsettled') this.log.error(names, 'PostgreSQL was away too long: a webhook may be sent again');
      else if (ended !== 'unsent') counts[ended] += 1;
    } catch (error) {
      this.log.error({ ...names, err: error }, 'a bug: a webhook is not settled, and is sent again');
    }
  }
}

/** A run until `stop`, whose own signals take any number of listeners. `close` is called when nothing is under way. */
function runUntil(stop: AbortSignal): { run: Run; close(): void } {
  const [told, late] = [new AbortController(), new AbortController()];
  setMaxListeners(0, told.signal, late.signal);
  const inFlight = new InFlight();
  let giveUp: NodeJS.Timeout | undefined;
  const tell = () => {
    told.abort();
    inFlight.close();
    giveUp = setTimeout(() => late.abort(), GIVE_UP_MS);
  };
  if (stop.aborted) tell();
  else stop.addEventListener('abort', tell, { once: true });
  const close = () => {
    stop.removeEventListener('abort', tell);
    clearTimeout(giveUp);
  };
  return { run: { inFlight, stop: told.signal, giveUp: late.signal }, close };
}
