import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Log } from './telemetry/log.js';

/** What a duty did, by the names of the fields in its log line: `{ healed: 0, published: 3 }`. */
export type Counts = Record<string, number>;

/** What a module has to do again and again. */
interface Duty {
  /** Names the duty in the log, and the pass that runs it where it is `alone`. */
  name: string;
  /** From the end of one run to the start of the next, on the plain server. Every call of a pass runs the duty. */
  everyMs: number;
  /** The duty needs more than a minute, or other rights: a function or a command of its own runs it, dispatch does not. */
  alone?: boolean;
  /** Only the plain server runs it, as a function has no process that stays: no pass does. */
  serverOnly?: boolean;
  /** The plain server begins with it as soon as PostgreSQL is migrated, and waits for no other store. */
  needsPostgresOnly?: boolean;
  /**
   * Must end soon after `stop` aborts. May run in several processes at once, and runs again after a failure: its statements
   * must be safe to repeat.
   */
  run(stop: AbortSignal): Promise<Counts>;
}

/** The name of the pass of all duties but those of others, and of the one duty in it whose failure fails the pass. */
export const DISPATCH = 'dispatch';

/**
 * Runs the duties of all modules, which add them when they are built. The plain server repeats each; a function or a command
 * runs some of them once. A duty that fails, or that waits for a store, does not stop the others.
 */
@Injectable()
export class Duties {
  readonly #duties: Duty[] = [];
  /** The duties whose last run failed, each with the kind of its error. */
  readonly #failing = new Map<Duty, string>();

  constructor(private readonly log: Log) {}

  /** Called by a module when it is built. */
  add(duty: Duty): void {
    this.#duties.push(duty);
  }

  /**
   * Runs the duty `name` once, and for `DISPATCH` also all others that are not `alone`. Returns all counts when none of them
   * runs any more. Rejects with the error of the duty `name`; an error of another duty is logged.
   */
  async pass(name: string, stop: AbortSignal): Promise<Counts> {
    const own = this.#duties.find((duty) => duty.name === name);
    if (!own) throw new Error(`no duty has the name ${name}`);
    const others =
      name === DISPATCH ? this.#duties.filter((duty) => duty !== own && !duty.alone && !duty.serverOnly) : [];
    const runs = [this.#run(own, stop), ...others.map((duty) => this.#runOrLog(duty, stop))];
    await Promise.allSettled(runs);
    return Object.fromEntries((await Promise.all(runs)).flatMap((counts) => Object.entries(counts)));
  }

  /**
   * Repeats each duty, at once and then at its interval, until told to stop. Resolves when none runs any more. `which`: only
   * those that need PostgreSQL alone, or only those that need the other stores too.
   */
  async repeat(stop: AbortSignal, which?: 'needs-postgres-only' | 'needs-all'): Promise<void> {
    const duties = this.#duties.filter(
      ({ needsPostgresOnly = false }) => which === undefined || needsPostgresOnly === (which === 'needs-postgres-only'),
    );
    await Promise.all(
      duties.map(async (duty) => {
        while (!stop.aborted) {
          await this.#runOrLog(duty, stop);
          await delay(duty.everyMs, undefined, { signal: stop }).catch(() => undefined);
        }
      }),
    );
  }

  async #run(duty: Duty, stop: AbortSignal): Promise<Counts> {
    const counts = await duty.run(stop);
    if (Object.values(counts).some((count) => count > 0))
      this.log.info({ duty: duty.name, ...counts }, 'a duty is done');
    return counts;
  }

  /**
   * Logs an outage when it begins and when it ends, not at each try. An outage is known by the kind of its error: the text
   * may have an address that changes from try to try.
   */
  async #runOrLog(duty: Duty, stop: AbortSignal): Promise<Counts> {
    try {
      const counts = await this.#run(duty, stop);
      if (this.#failing.delete(duty)) this.log.info({ duty: duty.name }, 'a duty runs again');
      return counts;
    } catch (error) {
      const kind = error instanceof Error ? error.constructor.name : typeof error;
      if (this.#failing.get(duty) !== kind)
        this.log.error({ duty: duty.name, err: error }, 'a duty failed; it is run again');
      this.#failing.set(duty, kind);
      return {};
    }
  }
}
