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
 * The frame of a command that needs the services. It starts them, with `needs` only these; or, with `looks`, only requires
 * that these run. With `wait` it waits until they accept connections. It does the work, and then stops the children and the services that it has
 * started, however the work ended. Returns the work's exit code if that is not 0, else that of the children. When told to
 * stop, it returns the children's code if that is not 0, else Interrupted's. When a child died, it returns that child's.
 */
export async function withServices(
  say: Say,
  { wait, needs, looks }: { wait: boolean; needs?: readonly Variable[]; looks?: readonly Variable[] },
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const supervisor = new Supervisor();
  const root = process.cwd();
  const bringing = looks ? findRunning(root, say, looks) : bringUp(root, say, { keep: false, ...(needs && { needs }) });
  try {
    const services = await supervisor.during(bringing);
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
    await bringing.then(
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
 * Runs one program, which waits by itself for services that do not answer yet. `before` is done first. Returns the program's
 * exit code.
 */
export async function runAlone(
  options: Pick<ChildOptions, 'name' | 'command' | 'args' | 'line'>,
  before: (session: Session) => Promise<void> = async () => {},
): Promise<number> {
  return withServices(say, { wait: false }, async (session) => {
    await before(session);
    return session.supervisor.foreground({ ...options, env: session.env, ...foregroundLine() });
  });
}

/**
 * Runs one program that only looks at these services: none is started for it. Returns its exit code. Throws CommandError
 * where one of them is this clone's own and does not run.
 */
export async function lookAlone(
  options: Pick<ChildOptions, 'name' | 'args'>,
  looks: readonly Variable[],
): Promise<number> {
  return withServices(say, { wait: false, looks }, ({ supervisor, env }) =>
    supervisor.foreground({ ...options, env, ...foregroundLine() }),
  );
}
