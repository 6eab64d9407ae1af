import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { newRead, newToken } from '../../functions/pix/collect/stream-token.js';
import type { Stage } from '../../testing/stage.js';
import { Connection } from '../load/process/connection.js';
import { percentile } from '../report/statistics.js';
import { startedServer } from './contacts.js';

/** How waiting messages are claimed, ten at once. The third and the fifth are compared with the two above them. */
export const PIX_WAYS = [
  'the claim alone',
  'pix_read, 1 connection',
  'pix_read, 6 connections',
  '1 collector',
  '6 collectors',
] as const;

/** The name of a way. */
export type PixWay = (typeof PIX_WAYS)[number];

/** Messages that waited, from the first claim to the last message. */
export interface PixDrain {
  way: PixWay;
  messages: number;
  seconds: number;
}

/** From the answer of a POST to one process until the poll that waits at another one is answered. */
export interface PixWake {
  p50Ms: number;
  p95Ms: number;
}

/** Test messages made by one POST. */
export interface PixMade {
  messages: number;
  seconds: number;
}

const ISPB = '32074986';
const AT_ONCE = 10;
const WARM_UP = 2_000;
/** Of a transaction that makes messages. */
const MADE_AT_ONCE = 50_000;
const WAKES = 60;
/** Until a poll that was sent waits. */
const SETTLED_MS = 50;
const WITHIN_MS = 20_000;
const MAKING_MS = 600_000;

/** A claim, as in pix_read: by the same statement, and nothing else. */
const CLAIM = `DELETE FROM pix_waiting WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM pix_waiting WHERE ispb = $1 AND message_id > $2 ORDER BY message_id LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED))
  RETURNING message_id`;

/** Claims until `count` messages have come. Its parts share the counter. */
type Drain = (stage: Stage, count: number) => Promise<void>;

/** Drains messages in one way, after a warm-up. Throws unless each came once. */
export async function measurePix(stage: Stage, way: PixWay, messages: number): Promise<PixDrain> {
  const size = way.includes('6') ? 6 : 1;
  const drain = await drainOf(stage, way, size);
  await make(stage, Math.min(messages, WARM_UP));
  await drain(stage, Math.min(messages, WARM_UP));
  // Collectors hold their last batch, and their slots, until they ask again.
  await stage.sql(
    `SELECT pix_end(s, 'collector', true) FROM (SELECT * FROM pix_streams WHERE closed_at IS NULL FOR UPDATE) s`,
  );
  await make(stage, messages);
  await stage.sql('VACUUM ANALYZE pix_waiting, pix_messages, pix_streams, pix_deliveries');
  const begun = performance.now();
  await drain(stage, messages);
  const seconds = (performance.now() - begun) / 1_000;
  const [left] = await stage.sql<{ n: number }>('SELECT count(*)::int AS n FROM pix_waiting');
  if (left?.n !== 0) throw new Error(`${left?.n} messages still wait`);
  return { way, messages, seconds };
}

async function make(stage: Stage, messages: number): Promise<void> {
  for (let made = 0; made < messages; made += MADE_AT_ONCE)
    await stage.sql('SELECT pix_generate($1, $2)', [ISPB, Math.min(MADE_AT_ONCE, messages - made)]);
}

async function drainOf(stage: Stage, way: PixWay, size: number): Promise<Drain> {
  if (way.includes('collector')) {
    const { port } = await startedServer(stage, 1);
    return (_, count) => collect(port, size, count);
  }
  return way === 'the claim alone' ? onConnections(size, claim) : onConnections(size, read);
}

/** Counts what has come: all of them end when it is enough. */
class Counter {
  #came = 0;
  constructor(private readonly wanted: number) {}

  add(messages: number): void {
    this.#came += messages;
    if (this.#came > this.wanted) throw new Error(`${this.#came} messages of ${this.wanted} came`);
  }

  get isDone(): boolean {
    return this.#came === this.wanted;
  }
}

function onConnections(size: number, work: (client: pg.Client, counter: Counter) => Promise<void>): Drain {
  return async ({ env }, count) => {
    const counter = new Counter(count);
    const clients = Array.from({ length: size }, () => new pg.Client({ connectionString: env.DATABASE_URL }));
    await Promise.all(clients.map((client) => client.connect()));
    try {
      await Promise.all(clients.map((client) => work(client, counter)));
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  };
}

async function claim(client: pg.Client, counter: Counter): Promise<void> {
  for (let last = '0'; !counter.isDone; ) {
    const { rows } = await client.query<{ message_id: string }>(CLAIM, [ISPB, last]);
    counter.add(rows.length);
    last =
      rows
        .map(({ message_id }) => message_id)
        .toSorted((a, b) => Number(a) - Number(b))
        .at(-1) ?? '0';
  }
}

async function read(client: pg.Client, counter: Counter): Promise<void> {
  const { stream, read: first } = newToken();
  const call = async (name: string, token: string) => {
    const values = [ISPB, stream, token, newRead(), AT_ONCE, '68 s'];
    const { rows } = await client.query<{ size: number; read: string }>(
      `SELECT * FROM ${name}($1, $2, $3, $4, $5, $6::interval)`,
      values,
    );
    const { size = 0, read: next = token } = rows[0] ?? {};
    counter.add(size);
    return next;
  };
  let token = await call('pix_start', first);
  while (!counter.isDone) token = await call('pix_read', token);
  await client.query(`SELECT pix_close($1, $2, $3, 'collector')`, [ISPB, stream, token]);
}

async function collect(port: number, size: number, count: number): Promise<void> {
  const counter = new Counter(count);
  const connections = await Promise.all(Array.from({ length: size }, () => opened(port)));
  const done = new Promise<void>((resolve, reject) => {
    // One that waits for a message that does not come is closed by us.
    for (const connection of connections)
      follow(connection, counter).then(resolve, (error) => (counter.isDone ? resolve() : reject(error)));
  });
  await done.finally(() => {
    for (const connection of connections) connection.close();
  });
}

function opened(port: number): Promise<Connection> {
  return Connection.open({ host: '127.0.0.1', port, path: '' }, WITHIN_MS);
}

/** Follows a stream to the end of the drain. */
async function follow(connection: Connection, counter: Counter): Promise<void> {
  let path = `/api/pix/${ISPB}/stream/start`;
  while (!counter.isDone) {
    const { status, headers, body } = await connection.ask('GET', path, undefined, WITHIN_MS, 'multipart/json');
    if (status !== 200 && status !== 204) throw new Error(`${path} answered ${status}: ${body}`);
    counter.add(body.split('"endToEndId"').length - 1);
    path = headers['pull-next'] ?? path;
  }
}

/** A collector waits at one process, and messages are made at another one, one by one. */
export async function measureWake(stage: Stage): Promise<PixWake> {
  const [{ port: making }, { port: waiting }] = [await startedServer(stage, 1), await startedServer(stage, 1)];
  const [maker, collector] = [await opened(making), await opened(waiting)];
  const took: number[] = [];
  let path = `/api/pix/${ISPB}/stream/start`;
  for (let wake = 0; wake < WAKES; wake++) {
    const polled = collector
      .ask('GET', path, undefined, WITHIN_MS)
      .then(({ headers }) => ({ at: performance.now(), next: headers['pull-next'] ?? path }));
    await delay(SETTLED_MS);
    await maker.ask('POST', `/api/util/msgs/${ISPB}/1`, undefined, WITHIN_MS);
    const made = performance.now();
    const { at, next } = await polled;
    took.push(Math.max(0, at - made));
    path = next;
  }
  for (const connection of [maker, collector]) connection.close();
  return { p50Ms: percentile(took, 0.5), p95Ms: percentile(took, 0.95) };
}

/** 2,000 messages by one POST, and then the largest number. Throws unless all wait. */
export async function measureMade(stage: Stage, largest: number): Promise<PixMade[]> {
  const { port } = await startedServer(stage, 1);
  const maker = await opened(port);
  const measured: PixMade[] = [];
  await maker.ask('POST', `/api/util/msgs/${ISPB}/1`, undefined, WITHIN_MS);
  for (const messages of new Set([Math.min(WARM_UP, largest), largest])) {
    const begun = performance.now();
    const { status, body } = await maker.ask('POST', `/api/util/msgs/${ISPB}/${messages}`, undefined, MAKING_MS);
    if (status !== 201) throw new Error(`making ${messages} messages: ${status} ${body}`);
    measured.push({ messages, seconds: (performance.now() - begun) / 1_000 });
  }
  maker.close();
  const [waiting] = await stage.sql<{ n: number }>('SELECT count(*)::int AS n FROM pix_waiting');
  const made = measured.reduce((sum, { messages }) => sum + messages, 1);
  if (waiting?.n !== made) throw new Error(`${waiting?.n} messages wait, and ${made} were made`);
  return measured;
}
