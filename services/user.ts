import { chownSync, mkdirSync } from 'node:fs';
import { run, type User } from './process.js';

const TIMEOUT_MS = 10_000;

/**
 * The user that a service runs as. PostgreSQL refuses to run as root, and RabbitMQ should not: under root it is the system
 * user of that name, made where it is missing. Otherwise undefined: the service runs as the current user.
 */
export async function serviceUser(name: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = await lookUp(name);
  if (known) return known;
  const made = await run(
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', name],
    { timeoutMs: TIMEOUT_MS },
  );
  const user = await lookUp(name);
  if (user) return user;
  throw new Error(`as root it needs the system user "${name}", which could not be created: ${made.output.trim()}`);
}

async function lookUp(name: string): Promise<User | undefined> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name], { timeoutMs: TIMEOUT_MS })));
  if (uid?.code !== 0 || gid?.code !== 0) return undefined;
  return { uid: Number(uid.output), gid: Number(gid.output) };
}

/** Makes a folder that belongs to the service's user and is closed to all others. */
export function privateFolder(folder: string, user: User | undefined): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user) chownSync(folder, user.uid, user.gid);
  return folder;
}
