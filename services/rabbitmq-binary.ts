import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readEnvironment } from '@disparo/contract';
import type { Say } from './names.js';
import { isFree } from './ports.js';
import { run } from './process.js';

/** Debian's own script, looked for first: its wrapper on the PATH insists on the package's user and folders. */
const DEBIAN = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const DEFAULT_PORT = 5672;
const UPDATE_TIMEOUT_MS = 120_000;
const INSTALL_TIMEOUT_MS = 300_000;
const SERVICE_TIMEOUT_MS = 60_000;

/** There is no rabbitmq-server, and we may not install one. */
export class NotInstalled extends Error {
  constructor() {
    super('rabbitmq-server is not installed');
  }
}

/**
 * The path of a rabbitmq-server: found on this machine, or installed through apt. Throws NotInstalled where we may not
 * install it, and Error where the installation fails.
 */
export async function findRabbitmq(say: Say): Promise<string> {
  const found = findServer();
  if (found) return found;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new NotInstalled();
  await installThroughApt(say);
  const installed = findServer();
  if (!installed) throw new Error('apt-get has installed it, but there is no rabbitmq-server');
  return installed;
}

function findServer(): string | undefined {
  const onPath = (readEnvironment().PATH ?? '').split(delimiter).map((folder) => join(folder, 'rabbitmq-server'));
  return [DEBIAN, ...onPath].find((candidate) => existsSync(candidate));
}

async function installThroughApt(say: Say): Promise<void> {
  say('RabbitMQ: installing the Debian package rabbitmq-server (apt-get update, apt-get install), about a minute');
  const env = { ...readEnvironment(), DEBIAN_FRONTEND: 'noninteractive' };
  const free = await isFree(DEFAULT_PORT);
  // A third-party source may be out of reach although the package is available: only the installation decides.
  await run('apt-get', ['-q', 'update'], { env, timeoutMs: UPDATE_TIMEOUT_MS });
  const args = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', 'install', '--no-install-recommends', 'rabbitmq-server'];
  const installed = await run('apt-get', args, { env, timeoutMs: INSTALL_TIMEOUT_MS });
  if (installed.code !== 0)
    throw new Error(`apt-get could not install it: ${installed.output.trim().split('\n').at(-1)}`);
  if (free) await stopPackagedService(say);
}

/** Stops the broker that the package starts on the default port, now and at every boot. Nobody has asked for it. */
async function stopPackagedService(say: Say): Promise<void> {
  const systemd = existsSync('/run/systemd/system');
  if (!systemd && (await isFree(DEFAULT_PORT))) return;
  say('RabbitMQ: stopping the service that the package has started; the clone gets a broker of its own');
  const [command, args] = systemd
    ? ['systemctl', ['disable', '--now', 'rabbitmq-server']]
    : ['service', ['rabbitmq-server', 'stop']];
  await run(command as string, args as string[], { timeoutMs: SERVICE_TIMEOUT_MS });
}
