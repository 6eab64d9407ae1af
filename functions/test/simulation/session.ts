import type pg from 'pg';
import type { Postgres, Sql, Transaction } from '../../platform/stores/postgres.js';
import type { Actor, Scheduler } from './scheduler.js';

/** How often a lone statement's commit is a step of its own, so that its locks are held while others go on. */
const SLOW_COMMIT = 0.35;

/** One actor's connection, with a gate before each statement and before each commit. */
export class Session implements Sql {
  constructor(
    readonly client: pg.Client,
    readonly actor: Actor,
    private readonly scheduler: Scheduler,
  ) {}

  /** As the repositories want it. */
  get postgres(): Postgres {
    return this as unknown as Postgres;
  }

  async query<T>(text: string, values: unknown[] = []): Promise<T[]> {
    const chance = await this.scheduler.gate(this.actor, summary(text));
    if (chance >= SLOW_COMMIT) return this.#run(text, values);
    return this.#together(async () => this.#run<T>(text, values));
  }

  async one<T>(text: string, values: unknown[] = []): Promise<T | undefined> {
    return (await this.query<T>(text, values))[0];
  }

  transaction<T>(work: (sql: Transaction) => Promise<T>): Promise<T> {
    return this.#together(async () => {
      const query = async <R>(text: string, values: unknown[] = []): Promise<R[]> => {
        await this.scheduler.gate(this.actor, summary(text));
        return this.#run<R>(text, values);
      };
      const one = async <R>(text: string, values?: unknown[]): Promise<R | undefined> =>
        (await query<R>(text, values))[0];
      return work({ query, one, copyFrom: () => Promise.reject(new Error('no COPY here')) });
    });
  }

  async #together<T>(work: () => Promise<T>): Promise<T> {
    await this.#run('BEGIN');
    try {
      const result = await work();
      await this.scheduler.gate(this.actor, 'COMMIT');
      await this.#run('COMMIT');
      return result;
    } catch (error) {
      await this.#run('ROLLBACK');
      throw error;
    }
  }

  #run<T>(text: string, values: unknown[] = []): Promise<T[]> {
    const { processID } = this.client as unknown as { processID: number };
    return this.scheduler.run(processID, async () => (await this.client.query(text, values)).rows as T[]);
  }
}

function summary(text: string): string {
  return text.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim().slice(0, 70);
}
