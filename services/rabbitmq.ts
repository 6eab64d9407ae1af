import { chownSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readEnvironment } from '@disparo/contract';
import type { Clone, State } from './clone.js';
import { answers } from './probe.js';
import { lastLogLines, launch, run, runningPid, stopByPidFile, type User, untilReady } from './process.js';
import { findRabbitmq } from './rabbitmq-binary.js';
import type { Service } from './service.js';
import { privateFolder, serviceUser } from './user.js';

const START_TIMEOUT_MS = 60_000;
const EPMD_TIMEOUT_MS = 5_000;
const CONTROL_TIMEOUT_MS = 30_000;
const USER = 'disparo';

/**
 * RabbitMQ from `rabbitmq-server`, with a node name, ports and folders of the clone's own, so that a broker of the machine
 * is left alone.
 */
export const rabbitmq: Service = {
  name: 'rabbitmq',
  title: 'RabbitMQ',
  variable: 'RABBITMQ_URL',
  binary: 'rabbitmq-server on the PATH (Debian and Ubuntu: apt-get install rabbitmq-server)',
  url: (password, port) => `amqp://${USER}:${password}@127.0.0.1:${port}`,

  async start(clone, state, say) {
    const server = await findRabbitmq(say);
    const user = await serviceUser('rabbitmq');
    const paths = layout(clone, user);
    configure(paths, state, user);
    const env = { ...nodeEnvironment(clone, paths, state) };
    const { exited } = launch(server, [], { user, env, cwd: paths.home });
    const ready = async () =>
      (await answers('RABBITMQ_URL', rabbitmq.url(state.password, state.ports.rabbitmq))) === true;
    await untilReady(ready, exited, START_TIMEOUT_MS, () => lastLogLines(join(paths.logs, `${nodeName(clone)}.log`)));
  },

  async stop(clone, state) {
    const user = await serviceUser('rabbitmq');
    const paths = layout(clone, user);
    // The marker is HOME, which Erlang puts on its command line. The node's name is only in its environment.
    await stopByPidFile(paths.pid, paths.home);
    await rabbitmq.clear?.(clone, state);
  },

  /** Erlang's port mapper lives on by itself. It refuses to end while a node of it does. */
  async clear(clone, state) {
    const env = { ...nodeEnvironment(clone, layout(clone, await serviceUser('rabbitmq')), state) };
    await run('epmd', ['-port', String(state.ports.epmd), '-kill'], { env, timeoutMs: EPMD_TIMEOUT_MS });
  },

  pid(clone) {
    const home = join(clone.data, 'rabbitmq');
    return runningPid(join(home, 'pid'), home);
  },
};

/** Runs rabbitmqctl on a clone's broker. Returns its output; throws with the output when it failed. */
export async function rabbitmqctl(clone: Clone, state: State, args: string[]): Promise<string> {
  const server = await findRabbitmq(() => {});
  const user = await serviceUser('rabbitmq');
  const paths = layout(clone, user);
  const env = { ...nodeEnvironment(clone, paths, state) };
  const options = { user, env, cwd: paths.home, timeoutMs: CONTROL_TIMEOUT_MS };
  const controlArgs = ['-q', '-n', nodeName(clone), ...args];
  const { code, output } = await run(join(dirname(server), 'rabbitmqctl'), controlArgs, options);
  if (code !== 0) throw new Error(`rabbitmqctl ${args[0]}: ${output.trim()}`);
  return output;
}

/** The Erlang node name of a clone's broker. */
export function nodeName(clone: Clone): string {
  return `disparo-${clone.id}@localhost`;
}

function layout(clone: Clone, user: User | undefined) {
  const home = privateFolder(join(clone.data, 'rabbitmq'), user);
  return {
    home,
    data: privateFolder(join(home, 'data'), user),
    logs: privateFolder(join(home, 'logs'), user),
    pid: join(home, 'pid'),
    configuration: join(home, 'rabbitmq.conf'),
    plugins: join(home, 'enabled_plugins'),
    environment: join(home, 'rabbitmq-env.conf'),
  };
}

function configure(paths: ReturnType<typeof layout>, state: State, user: User | undefined): void {
  const configuration = [
    `listeners.tcp.local = 127.0.0.1:${state.ports.rabbitmq}`,
    // RabbitMQ reads these two only at the first start of an empty node.
    `default_user = ${USER}`,
    `default_pass = ${state.password}`,
    ...(state.member?.rabbitmq ?? []),
  ];
  const files = {
    [paths.configuration]: `${configuration.join('\n')}\n`,
    [paths.plugins]: '[].\n',
    [paths.environment]: '',
  };
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(file, text, { mode: 0o600 });
    if (user) chownSync(file, user.uid, user.gid);
  }
}

function nodeEnvironment(clone: Clone, paths: ReturnType<typeof layout>, state: State): NodeJS.ProcessEnv {
  const { PATH, LANG = 'C.UTF-8' } = readEnvironment();
  return {
    PATH: `${PATH}:/usr/local/sbin:/usr/sbin`,
    LANG,
    HOME: paths.home,
    RABBITMQ_NODENAME: nodeName(clone),
    RABBITMQ_CONF_ENV_FILE: paths.environment,
    RABBITMQ_CONFIG_FILE: paths.configuration,
    RABBITMQ_ENABLED_PLUGINS_FILE: paths.plugins,
    RABBITMQ_MNESIA_BASE: paths.data,
    RABBITMQ_LOG_BASE: paths.logs,
    RABBITMQ_PID_FILE: paths.pid,
    RABBITMQ_DIST_PORT: String(state.ports.rabbitmqDistribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(state.ports.epmd),
  };
}
