import { EXIT } from '@disparo/contract';
import { givenUrls, isRunning, leave, NOWHERE, SERVICES, type Services } from './bring-up.js';
import { openClone, readState, readUrls, type State } from './clone.js';
import { CommandError } from './command-error.js';
import { enterUser, withLock } from './lock.js';
import type { Say, Variable } from './names.js';
import type { Service } from './service.js';

/**
 * The services for a command that only reads; starts none. Each service in `asked` that is this clone's own must be running.
 * Throws CommandError, which names those that are not.
 */
export async function findRunning(
  root: string,
  say: Say,
  asked: readonly Variable[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Services> {
  const clone = openClone(root);
  const given = givenUrls(clone, env);
  const needed = SERVICES.filter(({ variable }) => asked.includes(variable) && !given[variable]);
  if (needed.length > 0)
    await withLock(clone, say, async () => {
      await requireRunning(needed, readState(clone));
      // Another command that uses them and ends must not stop them meanwhile.
      enterUser(clone);
    });
  return {
    urls: { ...NOWHERE, ...readUrls(clone), ...given },
    own: new Set(needed.map(({ variable }) => variable)),
    release: async (tell) => {
      if (needed.length > 0) await withLock(clone, tell, () => leave(clone, tell));
    },
  };
}

async function requireRunning(needed: Service[], state: State | undefined): Promise<void> {
  const running = await Promise.all(needed.map(async (service) => state !== undefined && isRunning(service, state)));
  const down = needed.filter((_, at) => !running[at]).map(({ title }) => title);
  if (down.length === 0) return;
  const titles = new Intl.ListFormat('en-GB').format(down);
  throw new CommandError(
    `${titles} ${down.length === 1 ? 'is' : 'are'} not running, and this command starts no service. To start: npm run services`,
    EXIT.forced,
  );
}
