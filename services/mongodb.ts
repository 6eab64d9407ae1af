import { join } from 'node:path';
import { MongoClient, type MongoClientOptions, MongoServerError } from 'mongodb';
import type { Clone, State } from './clone.js';
import { findMongod } from './mongod-binary.js';
import { lastLogLines, launch, runningPid, stopByPidFile, untilReady } from './process.js';
import type { Service } from './service.js';
import { privateFolder } from './user.js';

const START_TIMEOUT_MS = 60_000;
const USER = 'disparo';
const AUTHENTICATION_FAILED = 18;
const OPTIONS: MongoClientOptions = { serverSelectionTimeoutMS: 1_000, directConnection: true };

/** One mongod, not a replica set: the consumers need no transaction, and `{w: majority, j: true}` works on it, too. */
export const mongodb: Service = {
  name: 'mongodb',
  title: 'MongoDB',
  variable: 'MONGODB_URL',
  binary: 'mongod on the PATH',
  url: (password, port) => `mongodb://${USER}:${password}@127.0.0.1:${port}/disparo?authSource=admin`,

  async start(clone, state, say) {
    const mongod = await findMongod(say);
    const paths = layout(clone);
    const args = [
      '--dbpath',
      paths.data,
      '--logpath',
      paths.log,
      '--pidfilepath',
      paths.pid,
      '--port',
      String(state.ports.mongodb),
    ];
    // No socket under /tmp: its name is only the port's number, which another program's socket may have.
    const set = state.member?.replicaSet;
    // A member of a replica set has no password: that would need a key file, and a complete set before its first user.
    const kind = set ? ['--replSet', set, '--wiredTigerCacheSizeGB', '0.25'] : ['--auth'];
    const { exited } = launch(mongod, [...args, '--bind_ip', '127.0.0.1', '--nounixsocket', ...kind], {});
    await untilReady(
      () => (set ? answersAlone(state) : ready(state)),
      exited,
      START_TIMEOUT_MS,
      () => lastLogLines(paths.log, 1),
    );
  },

  async stop(clone) {
    const paths = layout(clone);
    await stopByPidFile(paths.pid, paths.data);
  },

  pid(clone) {
    const paths = layout(clone);
    return runningPid(paths.pid, paths.data);
  },
};

function layout(clone: Clone) {
  const home = privateFolder(join(clone.data, 'mongodb'), undefined);
  return { data: privateFolder(join(home, 'data'), undefined), log: join(home, 'server.log'), pid: join(home, 'pid') };
}

async function answersAlone(state: State): Promise<boolean> {
  return command(`mongodb://127.0.0.1:${state.ports.mongodb}/admin`, { ping: 1 }).then(
    () => true,
    () => false,
  );
}

/** Whether mongod accepts our user. On an empty database it makes the user: mongod lets a local client make the first. */
async function ready(state: State): Promise<boolean> {
  const url = mongodb.url(state.password, state.ports.mongodb);
  try {
    await command(url, { ping: 1 });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === AUTHENTICATION_FAILED)
      await command(`mongodb://127.0.0.1:${state.ports.mongodb}/admin`, {
        createUser: USER,
        pwd: state.password,
        roles: ['root'],
      });
    return false;
  }
}

async function command(url: string, document: Record<string, unknown>): Promise<void> {
  const client = new MongoClient(url, OPTIONS);
  try {
    await client.db('admin').command(document);
  } finally {
    await client.close();
  }
}
