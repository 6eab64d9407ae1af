import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type OwnDatabase, onServer, ownDatabase } from '../../../testing/databases.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { PostgresListener } from './postgres-listener.js';

const CHANNEL = 'Things "done"';
/** Longer than a half-open connection takes to be noticed, on a machine with other work. */
const PATIENCE_MS = 45_000;

let database: OwnDatabase;
let proxy: TcpProxy;
/** Called with what PostgreSQL sends. */
let hear: (bytes: Buffer) => void;
let stop: AbortController;
let running: Promise<void>;
let notices: string[];
let listened: number;
let lines: string[];

beforeAll(async () => {
  database = await ownDatabase();
});

afterAll(() => database?.drop());

beforeEach(async () => {
  proxy = await TcpProxy.openTo(database.url, 5_432, (bytes) => hear(bytes));
  hear = () => {};
  [notices, listened, lines] = [[], 0, []];
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
  await proxy.close();
});

function listen(): void {
  const line = (level: string) => () => lines.push(level);
  const listener = new PostgresListener({
    databaseUrl: proxy.url,
    channel: CHANNEL,
    onNotice: (payload) => notices.push(payload),
    onListening: () => listened++,
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
  });
  running = listener.run(stop.signal);
}

const until = (condition: () => boolean) => vi.waitUntil(condition, PATIENCE_MS);
const notify = (payload: string, channel = CHANNEL) =>
  onServer(database.url, `SELECT pg_notify('${channel}', '${payload}')`);
/** Whether `run` returns in this turn of the event loop, and so without waiting for anything. */
const endsAtOnce = () =>
  Promise.race([running.then(() => true), new Promise((late) => setImmediate(() => late(false)))]);

test('the notices of its channel are heard, and those of no other', async () => {
  listen();
  await until(() => listened === 1);
  await notify('no', CHANNEL.toLowerCase());
  await notify('1 2 3');
  await notify('');
  await until(() => notices.length === 2);
  expect([notices, lines]).toEqual([['1 2 3', ''], []]);
});

/** Those of the listener: every other connection to its database is closed after its statement. */
const OTHERS = 'FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
const otherBackends = () => onServer(database.url, `SELECT ${OTHERS}`);
const endBackends = () => onServer(database.url, `SELECT pg_terminate_backend(pid) ${OTHERS}`);

describe('after a break it listens again, tells so, and logs its begin and end', () => {
  test.each<[what: string, breaks: () => unknown, mends: () => unknown]>([
    ['a broken connection', () => proxy.cut(), () => {}],
    ['an ended backend', endBackends, () => {}],
    ['a server that is gone', () => proxy.close(), () => proxy.open()],
    ['a connection that is half open', () => proxy.hold(), () => proxy.open()],
  ])('%s', { timeout: 2 * PATIENCE_MS }, async (_, breaks, mends) => {
    listen();
    await until(() => listened === 1);
    await breaks();
    await until(() => lines.length > 0);
    await mends();
    await until(() => listened === 2);
    await notify('after the return');
    await until(() => notices.length === 1);
    expect([notices, listened, lines]).toEqual([['after the return'], 2, ['warn', 'info']]);
  });
});

test('an outage of many tries is logged once, and ends with the first that succeeds', async () => {
  await proxy.close();
  let tries = 0;
  const refusing = createServer((socket) => {
    tries++;
    socket.destroy();
  });
  await once(refusing.listen(proxy.port, '127.0.0.1'), 'listening');
  listen();
  await until(() => tries === 4);
  await once(refusing.close(), 'close');
  await proxy.open();
  await until(() => listened === 1);
  expect(lines).toEqual(['warn', 'info']);
});

describe('told to stop it ends at once', () => {
  test('while it listens, and its connection closes', async () => {
    listen();
    await until(() => listened === 1);
    stop.abort();
    expect(await endsAtOnce()).toBe(true);
    await vi.waitUntil(async () => (await otherBackends()).length === 0, PATIENCE_MS);
    expect(lines).toEqual([]);
  });

  test('in the moment its backend is ended, whose last words end no process', async () => {
    listen();
    await until(() => listened === 1);
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtException', note);
    hear = (bytes) => {
      if (bytes.includes('terminating connection')) stop.abort();
    };
    await endBackends();
    await until(() => stop.signal.aborted);
    await vi.waitUntil(async () => (await otherBackends()).length === 0, PATIENCE_MS);
    process.off('uncaughtException', note);
    expect([await endsAtOnce(), uncaught]).toEqual([true, []]);
  });

  test('while it waits for its next try', async () => {
    await proxy.close();
    listen();
    await until(() => lines.length > 0);
    stop.abort();
    expect([await endsAtOnce(), listened]).toEqual([true, 0]);
  });

  test('while a server lets it wait', async () => {
    proxy.hold();
    listen();
    await until(() => proxy.swallowed > 0);
    stop.abort();
    expect([await endsAtOnce(), listened, lines]).toEqual([true, 0, []]);
  });

  test('before it has begun', async () => {
    stop.abort();
    listen();
    expect([await endsAtOnce(), proxy.connections]).toEqual([true, 0]);
  });
});
