import { cannotConnect } from '../../../functions/platform/stores/postgres-refusal.js';
import { bringUp, type Services } from '../../../services/bring-up.js';
import { CommandError } from '../../../services/command-error.js';
import { findRunning } from '../../../services/find-running.js';
import type { Say, Variable } from '../../../services/names.js';
import { waitUntilReachable } from '../../../services/probe.js';
import { foregroundLine } from './log-line.js';
import { ChildDied, type ChildOptions, Interrupted, Supervisor } from './supervisor.js';
import { say } from './terminal.js';

/** A service at a given URL may still be starting. */
const REACHABLE_MS = 60_000;

/** What a command works with between its services' start and their stop. */
export interface Session {
  services: Services;
  supervisor: Supervisor;
  /** The environment for children: our own, and the URLs of the services. */
  env: NodeJS.ProcessEnv;
}

/**
 * Does the work of a command that needs the services. It starts them, with `needs` only these. With `reads` it starts none:
 * these must be running. With `wait` it waits until they accept connections. After the work, however that ended, it stops
 * the children and the services that it has started.
 *
 * Returns the work's exit code if that is not 0, else the children's. When it was told to stop, it returns the children's
 * code if that is not 0, else Interrupted's. When a child died, it returns that child's.
 */
export async function withServices(
  say: Say,
  { wait, needs, reads }: { wait: boolean; needs?: readonly Variable[]; reads?: readonly Variable[] },
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const supervisor = new Supervisor();
  const root = process.cwd();
  const starting = reads ? findRunning(root, say, reads) : bringUp(root, say, { keep: false, ...(needs && { needs }) });
  try {
    const services = await supervisor.during(starting);
    if (wait) await supervisor.during(reach(services, needs, say));
    const code = await work({ services, supervisor, env: { ...process.env, ...services.urls } });
    const stopped = await supervisor.stop();
    return code === 0 ? stopped : code;
  } catch (error) {
    if (error instanceof ChildDied) process.stderr.write(`${error.message}; stopping the rest\n`);
    const stopped = await supervisor.stop();
    if (error instanceof Interrupted) return stopped === 0 ? error.exitCode : stopped;
    if (error instanceof ChildDied) return error.exitCode;
    throw error;
  } finally {
    // Also when it was told to stop while they were starting: they are released once they are up.
    await starting.then(
      (services) => services.release(say),
      () => {},
    );
  }
}

async function reach({ urls }: Services, needs: readonly Variable[] | undefined, say: Say): Promise<void> {
  const used = needs ? Object.fromEntries(needs.map((variable) => [variable, urls[variable]])) : urls;
  const result = await waitUntilReachable(used, say, REACHABLE_MS, cannotConnect);
  if (result !== true) throw new CommandError(`Gave up after ${REACHABLE_MS / 1000} s: ${result}`);
}

/**
 * Runs one program, which waits by itself for services that do not answer yet. `before` is done first. `env` is on top of the
 * session's; `needs`: the services that are started, all without it. Returns the program's exit code.
 */
export async function runAlone(
  {
    env = {},
    ...options
  }: Pick<ChildOptions, 'name' | 'command' | 'args' | 'line'> & Partial<Pick<ChildOptions, 'env'>>,
  before: (session: Session) => Promise<void> = async () => {},
  needs?: readonly Variable[],
): Promise<number> {
  return withServices(say, { wait: false, ...(needs && { needs }) }, async (session) => {
    await before(session);
    return session.supervisor.foreground({ ...options, env: { ...session.env, ...env }, ...foregroundLine() });
  });
}

/**
 * Runs one program that only reads from these services: none is started for it. `draws`: it has the terminal itself. Returns
 * its exit code. Throws CommandError when one of them is this clone's own and does not run.
 */
export async function runReadOnly(
  options: Pick<ChildOptions, 'name' | 'args'>,
  reads: readonly Variable[],
  draws = false,
): Promise<number> {
  return withServices(say, { wait: false, reads }, ({ supervisor, env }) =>
    supervisor.foreground({ ...options, env, ...(draws ? {} : foregroundLine()) }),
  );
}
