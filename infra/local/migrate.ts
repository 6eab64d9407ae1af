import { CommandError } from '../../services/command-error.js';
import { migrated } from './migrations.js';
import { withServices } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/**
 * `npm run migrate [-- down]`: runs all missing migrations, or takes the newest one back. Starts PostgreSQL alone. Returns the
 * exit code.
 */
export default async function run([direction = 'up', ...rest]: string[]): Promise<number> {
  if (rest.length > 0 || (direction !== 'up' && direction !== 'down'))
    throw new CommandError('usage: npm run migrate [-- up | down]');
  return withServices(say, { wait: true, needs: ['DATABASE_URL'] }, async (session) => {
    const { services } = session;
    const names = await migrated(session, services.urls.DATABASE_URL, direction);
    say(names.length === 0 ? 'Nothing to migrate' : `Migrated ${direction}: ${names.join(', ')}`);
    return 0;
  });
}
