import type { INestApplicationContext } from '@nestjs/common';

/** A service, named by the variable that has its URL. */
type Service = 'DATABASE_URL' | 'MONGODB_URL' | 'RABBITMQ_URL';

/**
 * What `npm run <name>` does with the app, as `functions/commands/<name>.ts` declares it. `infra/local/` reads the same
 * declaration before it brings the services up. So that file imports of the app only types and what prints, and `work` loads the rest.
 */
export interface Command<Task> {
  /** How to call it. */
  usage: string;
  /** What these arguments ask for; undefined: they are not valid. */
  task(args: readonly string[]): Task | undefined;
  /** The services of a task that only reads: none is started for it. Undefined: it changes something, and needs `needs`. */
  reads(task: Task): readonly Service[] | undefined;
  /** The services that are started for a task that changes something; all without it. */
  needs?: readonly Service[];
  /** Whether the app's log goes to standard output too. */
  logs: boolean;
  /** Whether a task draws on the terminal, which it then has itself. Undefined: none does. */
  draws?(task: Task): boolean;
  /** Does the task. Returns the exit code. */
  work(app: INestApplicationContext, task: Task, stop: AbortSignal): Promise<number>;
}
