import { readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import type { ServiceName } from '../../../services/names.js';
import { NotInstalled } from '../../../services/rabbitmq-binary.js';
import { OwnService } from '../../../testing/own-service.js';
import { Stage, type StageOptions } from '../../../testing/stage.js';
import { PATIENCE_MS } from '../../../testing/until.js';

/** Set by `--full`: long cases run in full length. Without it they have the shorter form of `npm test`. */
export const FULL = process.env.CONFORMANCE === 'full';

const LIST = new URL(`../known-failing/${process.env.CONSUMER ?? 'typescript'}.txt`, import.meta.url);

/** `title > name`, one a line. These cases run all the same. One that passes is an error, and its line must go. */
const KNOWN_FAILING = new Set(readFileSync(LIST, 'utf8').split('\n').filter(Boolean));

/** Something that a case opens and that has to be closed after it. */
interface Closable {
  close(): Promise<void>;
}

/** What a case works with. All that it opens through its scope is closed after the case, the last first. */
export class Scope {
  readonly #opened: Closable[] = [];

  constructor(private readonly skip: (reason: string) => never) {}

  /** A stage of the case's own. */
  async stage(options?: StageOptions): Promise<Stage> {
    return this.cleaned(await Stage.open(options));
  }

  /** A service of the case's own. Skips the case where its binary is not installed and cannot be. */
  async own(name: ServiceName): Promise<OwnService> {
    try {
      return this.cleaned(await OwnService.start(name));
    } catch (error) {
      if (error instanceof NotInstalled) this.skip(error.message);
      throw error;
    }
  }

  /** Has `thing` closed after the case. */
  cleaned<T extends Closable>(thing: T): T {
    this.#opened.unshift(thing);
    return thing;
  }

  /** Closes everything, even when closing one thing fails; then throws the first error. */
  async close(): Promise<void> {
    const closed: PromiseSettledResult<void>[] = [];
    for (const thing of this.#opened.splice(0)) closed.push(...(await Promise.allSettled([thing.close()])));
    for (const result of closed) if (result.status === 'rejected') throw result.reason;
  }
}

/** One thing that every consumer does. */
export interface Case {
  /** A sentence; with the title of its group it is the name in `known-failing/`. */
  name: string;
  /** Who would suffer without the rule, and how. Printed with a failure. */
  why: string;
  /** Throws when the consumer under test does something else. */
  run(scope: Scope): Promise<void>;
}

/** Hands the cases to the runner, each in a scope of its own. */
export function prove(title: string, cases: readonly Case[]): void {
  describe(title, { timeout: 4 * PATIENCE_MS }, () => {
    for (const { name, why, run } of cases)
      it(name, { fails: KNOWN_FAILING.has(`${title} > ${name}`) }, async ({ skip, onTestFinished }) => {
        const scope = new Scope(skip);
        // Also when the case hangs and ends in neither way below.
        onTestFinished(() => scope.close().catch(() => {}));
        try {
          await run(scope);
        } catch (error) {
          if (error instanceof Error) error.message += `\n\nWhy it matters: ${why}`;
          throw error;
        }
        await scope.close();
      });
  });
}
