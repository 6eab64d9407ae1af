import type { INestApplicationContext } from '@nestjs/common';

/** A service, by the variable that has its URL. */
export type Service = 'DATABASE_URL' | 'MONGODB_URL' | 'RABBITMQ_URL';

/**
 * What `npm run <name>` does with the app, as `functions/commands/<name>.ts` declares it. `infra/local/` reads the same
 * declaration before it brings the services up. So it imports types only: `work` loads what it needs of the app.
 */
export interface Command<Task> {
  /** How it is called. */
  usage: string;
  /** What it is told to do; undefined: it is not called so. */
  task(args: readonly string[]): Task | undefined;
  /** The services of which it only reads: nothing is started for it. Undefined: it changes something, and may need all. */
  reads(task: Task): readonly Service[] | undefined;
  /** Whether the app's log goes to standard output too. */
  logs: boolean;
  /** Does it. Returns the exit code. */
  work(app: INestApplicationContext, task: Task, stop: AbortSignal): Promise<number>;
}
