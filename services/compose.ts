import { EXIT, readEnvironment } from '@disparo/contract';
import type { Clone, State } from './clone.js';
import { CommandError } from './command-error.js';
import type { ServiceName } from './names.js';
import { run } from './process.js';

const ASK_TIMEOUT_MS = 5_000;
/** Enough to pull three images on a slow line. */
const UP_TIMEOUT_MS = 300_000;
const HEALTHY_TIMEOUT_S = 120;
const DOWN_TIMEOUT_MS = 60_000;

/** Whether a Docker daemon answers. */
export async function daemonAnswers(): Promise<boolean> {
  return (
    (await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: ASK_TIMEOUT_MS })).code === 0
  );
}

/** `docker compose up -d --wait` of these services on the clone's ports: true when all are healthy, or why not in one line. */
export async function composeUp(clone: Clone, state: State, names: ServiceName[]): Promise<true | string> {
  const args = ['up', '-d', '--wait', '--wait-timeout', String(HEALTHY_TIMEOUT_S), ...names];
  const { code, output } = await compose(clone, state, args, UP_TIMEOUT_MS);
  if (code === 0) return true;
  return output.trim().split('\n').at(-1) || `docker compose ended with code ${code}`;
}

/** Removes the containers of services that did not come up; their data stays. */
export async function composeRemove(clone: Clone, state: State, names: ServiceName[]): Promise<void> {
  await compose(clone, state, ['rm', '--stop', '--force', ...names], DOWN_TIMEOUT_MS);
}

/** Stops the clone's containers; their data stays. Throws CommandError. */
export async function composeStop(clone: Clone, state: State): Promise<void> {
  const { code, output } = await compose(clone, state, ['stop'], DOWN_TIMEOUT_MS);
  if (code !== 0) throw failed('stop', output);
}

/** Removes the clone's containers and their data. Throws CommandError. */
export async function composeReset(clone: Clone, state: State): Promise<void> {
  const { code, output } = await compose(clone, state, ['down', '--volumes'], DOWN_TIMEOUT_MS);
  if (code !== 0) throw failed('down', output);
}

function failed(action: string, output: string): CommandError {
  return new CommandError(`docker compose ${action}: ${output.trim().split('\n').at(-1)}`, EXIT.bug);
}

function compose(clone: Clone, state: State, args: string[], timeoutMs: number) {
  const env = {
    ...readEnvironment(),
    POSTGRES_PORT: String(state.ports.postgres),
    MONGODB_PORT: String(state.ports.mongodb),
    RABBITMQ_PORT: String(state.ports.rabbitmq),
    // The management plugin's page is for a compose file used by hand. Here any free port will do.
    RABBITMQ_MANAGEMENT_PORT: '0',
    DISPARO_PASSWORD: state.password,
  };
  return run('docker', ['compose', '-p', `disparo-${clone.id}`, ...args], { env, cwd: clone.root, timeoutMs });
}
