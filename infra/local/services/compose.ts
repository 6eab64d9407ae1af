import { readEnvironment } from '@disparo/contract';
import type { Clone, State } from './clone.js';
import { run } from './process.js';
import type { ServiceName } from './service.js';

const ASK_TIMEOUT_MS = 5_000;
/** Pulling three images on a slow line. */
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
  await compose(clone, state, ['rm', '--stop', '--force', ...names], DOWN_TIMEOUT_MS);
  return output.trim().split('\n').at(-1) || `docker compose ended with code ${code}`;
}

/** Stops the clone's containers; their data stays. Throws. */
export async function composeStop(clone: Clone, state: State): Promise<void> {
  const { code, output } = await compose(clone, state, ['stop'], DOWN_TIMEOUT_MS);
  if (code !== 0) throw new Error(`docker compose stop: ${output.trim().split('\n').at(-1)}`);
}

/** Removes the clone's containers and their data. Throws. */
export async function composeReset(clone: Clone, state: State): Promise<void> {
  const { code, output } = await compose(clone, state, ['down', '--volumes'], DOWN_TIMEOUT_MS);
  if (code !== 0) throw new Error(`docker compose down: ${output.trim().split('\n').at(-1)}`);
}

function compose(clone: Clone, state: State, args: string[], timeoutMs: number) {
  const env = {
    ...readEnvironment(),
    POSTGRES_PORT: String(state.ports.postgres),
    MONGODB_PORT: String(state.ports.mongodb),
    RABBITMQ_PORT: String(state.ports.rabbitmq),
    // The page of the management plugin is for a compose file used by hand; here any free port will do.
    RABBITMQ_MANAGEMENT_PORT: '0',
    DISPARO_PASSWORD: state.password,
  };
  return run('docker', ['compose', '-p', `disparo-${clone.id}`, ...args], { env, cwd: clone.root, timeoutMs });
}
