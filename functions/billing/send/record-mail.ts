import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended, Postgres } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { Places } from '../import/places.js';
import { afterStop } from './after-stop.js';
import { type Attempt, SendRepository } from './send.repository.js';
import type { Verdict } from './verdict.js';

/** As long as until the sweep: what is not recorded by then is held for a person. */
const TRIED_FOR_MS = 600_000;
/** After the stop. With what a mail may take after it, less than the 25 s that a process has. */
const AFTER_STOP_MS = 20_000;
const AGAIN_MS = { first: 100, most: 3_000 };
/** A statement may be done again, so one that PostgreSQL does not answer is given up soon. */
const STATEMENT_MS = 5_000;
/** Each keeps a connection of the pool, and may wait for the lock of its debt. */
const AT_ONCE = 3;
/** For ever, as timers go. */
const PATIENCE_MS = 2 ** 31 - 1;

/** Records what became of mails, and does not give up soon: a 250 that is not recorded becomes a question for a person. */
@Injectable()
export class RecordMail {
  readonly #places = new Places(AT_ONCE, PATIENCE_MS, 'too many mails are recorded now');

  constructor(
    private readonly repository: SendRepository,
    private readonly postgres: Postgres,
    private readonly log: Log,
  ) {}

  /** Never rejects. While PostgreSQL is away it tries again, for ten minutes, or for a few seconds after `stop`. */
  async record(attempt: Attempt, verdict: Verdict, stop: AbortSignal): Promise<void> {
    const { seq, number, attempt: no } = attempt;
    const which = { seq, number, attempt: no, result: verdict.what };
    const until = AbortSignal.timeout(TRIED_FOR_MS);
    const late = new AbortController();
    const over = AbortSignal.any([until, late.signal]);
    const undo = afterStop(stop, AFTER_STOP_MS, () => late.abort());
    try {
      for (let waitMs = AGAIN_MS.first; ; waitMs = Math.min(2 * waitMs, AGAIN_MS.most)) {
        const failure = await this.#try(attempt, verdict, which, waitMs === AGAIN_MS.first);
        if (failure === undefined) return;
        if (!mayTryAgain(failure) || over.aborted) {
          // Its text alone: the detail of an error of PostgreSQL has the row, with what the server said of whom.
          this.log.error(
            { ...which, reason: failure.message },
            'what became of a mail is not recorded; it will be held',
          );
          return;
        }
        await pause(waitMs, undefined, { signal: over }).catch(() => undefined);
      }
    } finally {
      undo();
    }
  }

  /** Undefined: it is recorded, or somebody else has decided before. */
  async #try(attempt: Attempt, verdict: Verdict, which: object, isFirst: boolean): Promise<Error | undefined> {
    try {
      const recorded = await this.#places.run(() =>
        this.postgres.unlessSilent(() => this.repository.record(attempt, verdict), STATEMENT_MS),
      );
      // Of a second try it says nothing: the first may have been committed, and only its answer was lost.
      if (!recorded && isFirst)
        this.log.info(which, 'what became of a mail changes nothing: its delivery has gone on without it');
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

function mayTryAgain(error: Error): boolean {
  return error instanceof ServiceUnavailable || isContended(error);
}
