import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiStage } from '../../../testing/api-stage.js';
import { OwnFunction } from '../own-function.js';

interface Ask {
  headers?: Record<string, string>;
  /** How long ago the gateway took the request. */
  agoMs?: number;
  body?: string;
}

const FUNCTION_MS = 29_000;
const WAIT_MS = 7_800;
/** So late may an answer be on a machine that is busy, and still be told from one that was taken a second before. */
const LATE_MS = 900;
/** How PostgreSQL ends what it sends for a look. */
const ONE_ROW = 'SELECT 1\0';
const LIST = { accept: 'multipart/json' };
const NEXT = /^\/api\/pix\/([0-9]{8})\/stream\/([0-9a-z]{12})$/;

let own: OwnFunction;
let stage: ApiStage;

beforeAll(async () => {
  own = await OwnFunction.open('pix');
  stage = own.stage;
  // It takes its time to load.
  await call('GET', '/api/health');
});

afterAll(() => own?.close());

async function call(method: string, path: string, { headers = {}, agoMs = 0, body }: Ask = {}) {
  const begun = performance.now();
  const event = {
    version: '2.0',
    routeKey: 'GET /api/pix/{ispb}/stream/{interationId}',
    rawPath: path,
    rawQueryString: '',
    headers,
    requestContext: {
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
      timeEpoch: Date.now() - agoMs,
    },
    ...(body !== undefined && { body }),
    isBase64Encoded: false,
  };
  const { statusCode: status, headers: answered, body: text } = await own.handler(event, own.context(FUNCTION_MS));
  return { status, headers: answered, text, next: answered['pull-next'] ?? '', tookMs: performance.now() - begun };
}

const start = (ispb: string, ask?: Ask) => call('GET', `/api/pix/${ispb}/stream/start`, ask);

/** Makes messages of an ISPB without a request. Returns their end-to-end ids in order. */
async function made(ispb: string, count: number): Promise<string[]> {
  await stage.sql('SELECT pix_generate($1, $2)', [ispb, count]);
  const rows = await stage.sql<{ id: string }>(
    'SELECT end_to_end_id AS id FROM pix_messages JOIN pix_waiting ON message_id = id WHERE pix_waiting.ispb = $1 ORDER BY message_id',
    [ispb],
  );
  return rows.map(({ id }) => id);
}

const idOf = (text: string) => (JSON.parse(text) as { endToEndId: string }).endToEndId;
const codeOf = (text: string) => (JSON.parse(text) as { code: string }).code;
const waiting = async (ispb: string) => (await stage.sql('SELECT FROM pix_waiting WHERE ispb = $1', [ispb])).length;

test('takes two parameters, for nodejs24.x refuses a third', () => {
  expect(own.handler.length).toBeLessThanOrEqual(2);
});

test('eight polls at once each wait 7.8 s from the time at which the gateway took them, and look all the while', async () => {
  own.heard = '';
  const ages = [0, 0, 0, 1_000, 2_000, 3_000, 4_000, 5_000];
  // guard: whatever a client says, in whatever letter case, the gateway's time counts
  const pretended = { 'x-disparo-arrived-ms': '0', 'X-Disparo-Arrived-MS': String(Date.now() - WAIT_MS) };
  const polls = await Promise.all(
    ages.map((agoMs, at) => start(`1111111${at}`, at === 0 ? { headers: pretended } : { agoMs })),
  );
  for (const [at, { status, text, headers, next, tookMs }] of polls.entries()) {
    const waited = WAIT_MS - (ages[at] ?? 0);
    expect([status, text, headers['content-type'], headers.vary]).toEqual([204, '', undefined, 'Accept']);
    expect(NEXT.exec(next)?.[1]).toBe(`1111111${at}`);
    expect(tookMs).toBeGreaterThan(waited - 20);
    expect(tookMs).toBeLessThan(waited + LATE_MS);
  }
  // A look each 250 ms: on a server it is one a second.
  const pollSeconds = ages.reduce((sum, agoMs) => sum + (WAIT_MS - agoMs) / 1_000, 0);
  const looks = own.heard.split(ONE_ROW).length - 1;
  expect(looks).toBeGreaterThan(1.5 * pollSeconds);
  expect(looks).toBeLessThan(5 * pollSeconds);
  // A frozen process hears nothing, and would keep the connection.
  expect(own.heard).not.toContain('LISTEN\0');
});

test('a message that is made meanwhile is found by a look', async () => {
  own.heard = '';
  const poll = start('22222220');
  await stage.until(() => own.heard.split(ONE_ROW).length > 3, 'it has looked');
  const [id] = await made('22222220', 1);
  const { status, text, next, tookMs } = await poll;
  expect([status, idOf(text)]).toEqual([200, id]);
  expect(NEXT.exec(next)?.[1]).toBe('22222220');
  expect(tookMs).toBeLessThan(WAIT_MS);
});

test('a batch, its repetition, the next one and the end are as on a server', async () => {
  const ids = await made('33333330', 13);
  const first = await start('33333330', { headers: LIST });
  const token = NEXT.exec(first.next)?.[2] ?? '';
  expect([first.status, first.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
  const listed = (text: string) => (JSON.parse(text) as { endToEndId: string }[]).map(({ endToEndId }) => endToEndId);
  expect(listed(first.text)).toEqual(ids.slice(0, 10));
  const second = await call('GET', first.next, { headers: LIST });
  expect([second.status, listed(second.text)]).toEqual([200, ids.slice(10)]);
  const again = await call('GET', first.next, { headers: LIST });
  expect([again.status, again.text, again.next]).toEqual([200, second.text, second.next]);
  const unknown = await call('GET', '/api/pix/33333331/stream/'.concat(token));
  expect([unknown.status, codeOf(unknown.text), unknown.next]).toEqual([404, 'PIX.STREAM_NOT_FOUND', '']);
  expect((await call('HEAD', second.next)).status).toBe(404);
  const end = await call('DELETE', second.next);
  expect([end.status, end.text, end.next]).toEqual([200, '{}', '']);
  const closed = await call('GET', second.next);
  expect([closed.status, codeOf(closed.text), closed.next]).toEqual([410, 'PIX.STREAM_CLOSED', '']);
});

test('no statement leaves a transaction open: a frozen process would keep the lock of its stream', async () => {
  own.heard = '';
  await made('44444440', 1);
  const { next } = await start('44444440');
  await call('GET', next, { agoMs: WAIT_MS - 600 });
  await call('DELETE', next);
  // ReadyForQuery of the protocol has I outside of a transaction, T inside of one and E inside of one that failed.
  const states = own.heard.split('Z\0\0\0\x05').slice(1);
  expect(new Set(states.map(([state]) => state))).toEqual(new Set(['I']));
  expect(own.heard).not.toContain('BEGIN\0');
});

test('what a read claims after its poll was answered comes again with the same token', async () => {
  const [first, second] = await made('55555550', 2);
  const { text, next } = await start('55555550');
  const holder = new pg.Client(stage.env.DATABASE_URL);
  await holder.connect();
  try {
    await holder.query(`BEGIN; SELECT FROM pix_streams WHERE ispb = '55555550' FOR UPDATE`);
    const held = await call('GET', next, { agoMs: WAIT_MS - 300 });
    expect([held.status, codeOf(held.text), held.next]).toEqual([503, 'SERVICE_UNAVAILABLE', '']);
  } finally {
    await holder.end();
  }
  await stage.until(async () => (await waiting('55555550')) === 0, 'the late read has claimed');
  const repeated = await call('GET', next);
  expect([idOf(text), repeated.status, idOf(repeated.text)]).toEqual([first, 200, second]);
});

test('a function makes up to 50,000 messages a request', async () => {
  const most = await call('POST', '/api/util/msgs/66666660/50000');
  expect([most.status, JSON.parse(most.text)]).toEqual([201, { ispb: '66666660', number: 50_000 }]);
  expect(await waiting('66666660')).toBe(50_000);
  const more = await call('POST', '/api/util/msgs/66666660/50001');
  expect([more.status, JSON.parse(more.text).errors]).toEqual([
    400,
    [{ path: 'number', message: 'must be a whole number from 1 to 50000' }],
  ]);
  expect(await waiting('66666660')).toBe(50_000);
});
