import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, pause, unlessInterrupted } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended, Postgres } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';

const ASK_EVERY_MS = 500;

/** PostgreSQL, which may be away while requests are under way: one asks whether it is back for all who wait. */
@Injectable()
export class Outage {
  #over: Promise<void> | undefined;
  #waiting = 0;

  constructor(
    private readonly postgres: Postgres,
    private readonly log: Log,
  ) {}

  /** Whether PostgreSQL was away the last time, and has not answered since. */
  get isOn(): boolean {
    return this.#over !== undefined;
  }

  /**
   * Runs what may be done again until it is done, through any outage. Throws Interrupted as soon as the signal fires, though
   * the last try may be done all the same, and errors that no waiting heals.
   */
  async despite<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      if (signal.aborted) throw new Interrupted();
      try {
        // guard: a connection and a statement may take nine seconds, which nobody has when the signal fires
        return await unlessInterrupted(signal, work());
      } catch (error) {
        // Random: those of one endpoint come one after the other.
        if (isContended(error)) await pause(signal, ASK_EVERY_MS * (1 + 2 * Math.random()));
        else if (error instanceof ServiceUnavailable) await this.over(signal, error);
        else throw error;
      }
    }
  }

  /** Waits until PostgreSQL answers, or the signal fires. `error`: what has just failed. */
  async over(signal: AbortSignal, error?: ServiceUnavailable): Promise<void> {
    if (!this.#over) this.log.error({ err: error }, 'webhooks cannot be sent now; trying again');
    this.#waiting += 1;
    this.#over ??= this.#untilBack();
    try {
      await unlessInterrupted(signal, this.#over);
    } catch (interrupted) {
      if (!(interrupted instanceof Interrupted)) throw interrupted;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Asks as long as somebody waits. */
  async #untilBack(): Promise<void> {
    let isBack = false;
    while (!isBack && this.#waiting > 0) {
      await sleep(ASK_EVERY_MS);
      isBack = await this.postgres.ping().then(
        () => true,
        () => false,
      );
    }
    this.#over = undefined;
    if (isBack) this.log.info({}, 'webhooks are sent again');
  }
}
