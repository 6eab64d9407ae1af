import { EXIT } from '@disparo/contract';
import { migrate } from '../../functions/platform/stores/migrate.js';
import { isAway } from '../../functions/platform/stores/postgres.js';
import { CommandError } from '../../services/command-error.js';
import type { Session } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/** Migrates for a command, and prints what it waits for. Returns the names of what ran. A failure is one line. */
export async function migrated(
  { supervisor }: Pick<Session, 'supervisor'>,
  databaseUrl: string,
  direction: 'up' | 'down' = 'up',
): Promise<string[]> {
  return supervisor.during(
    migrate(databaseUrl, direction, say).catch((error: unknown) => {
      if (isAway(error)) throw new CommandError(`DATABASE_URL: ${(error as Error).message}`, EXIT.forced);
      throw error;
    }),
  );
}
