import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import { TcpProxy } from '../../../testing/proxy.js';
import {
  accepted,
  as,
  campaign,
  PATIENCE_MS,
  ran,
  refusal,
  rowsStored,
  someNumbers,
  storedNumbers,
  untilStatus,
  upload,
} from './fixtures.js';

const UP = { status: 'up', postgres: 'up', mongodb: 'up', rabbitmq: 'up' };
/** Publishing waits this long for a confirm, and a health check for its answer. */
const TIMEOUT_MS = 2 * PATIENCE_MS;

let stage: ApiStage;
let consumer: Process;
/** Proxies between the API and its services; the consumer connects to the services directly. */
let postgres: TcpProxy;
let mongodb: TcpProxy;
let rabbitmq: TcpProxy;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
  mongodb = await TcpProxy.openTo(stage.env.MONGODB_URL, 27_017);
  rabbitmq = await TcpProxy.openTo(stage.env.RABBITMQ_URL, 5_672);
  await stage.start({ env: proxied() });
  consumer = stage.consumer();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterEach(async () => {
  for (const proxy of [postgres, mongodb, rabbitmq]) {
    await proxy.close();
    await proxy.open();
  }
}, TIMEOUT_MS);

beforeEach(
  () => stage.until(async () => (await health())[0] === 200, 'the API has all its stores', PATIENCE_MS),
  TIMEOUT_MS,
);

afterAll(async () => {
  await consumer?.kill();
  await stage?.close();
  for (const proxy of [postgres, mongodb, rabbitmq]) await proxy?.close();
});

function proxied(): Record<string, string> {
  return { DATABASE_URL: postgres.url, MONGODB_URL: mongodb.url, RABBITMQ_URL: rabbitmq.url };
}

async function health(): Promise<[number, unknown]> {
  const { status, body } = await stage.api('GET', '/api/health');
  return [status, body];
}

/** `npm run dispatch`: one pass in a process of its own. Returns what it prints. */
async function dispatchOnce(): Promise<string> {
  const [code, output] = await ran(stage, 'dispatch', [], { LOG_LEVEL: 'silent' });
  expect(code, output).toBe(0);
  return output;
}

/** Kills the API, lets its lease run out and starts another one. */
async function killAndStartAgain(): Promise<void> {
  await stage.kill();
  await rabbitmq.close();
  await rabbitmq.open();
  await stage.sql(
    "UPDATE campaigns SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL",
  );
  await stage.start({ env: proxied() });
}

describe('the broker', { timeout: TIMEOUT_MS }, () => {
  test('is down during an upload: it is pendente, and a dispatch pass sends it', async () => {
    await rabbitmq.close();
    const numbers = someNumbers(1_203);
    const answer = await upload(stage, ana, company, numbers);
    expect([answer.status, answer.body.status, answer.body.published, answer.body.stored]).toEqual([
      201,
      'pendente',
      0,
      0,
    ]);
    expect(await health()).toEqual([503, { ...UP, status: 'down', rabbitmq: 'down' }]);
    expect(await campaign(stage, ana, answer.body.id)).toMatchObject({ status: 'pendente', published: 0 });
    // The pass is not behind the proxy.
    expect(await dispatchOnce()).toContain('1 campaigns published, 0 still owed');
    expect(await untilStatus(stage, ana, answer.body.id, 'enviado')).toMatchObject({
      total: 1_203,
      published: 1_203,
      stored: 1_203,
    });
    expect(await storedNumbers(stage, answer.body.id)).toEqual(numbers);
    expect(await dispatchOnce()).toContain('0 campaigns published, 0 still owed');
  });

  test('is down during an upload: the plain server sends it by itself when it is started again', async () => {
    await rabbitmq.close();
    const numbers = someNumbers(5);
    const { id, status } = await accepted(stage, ana, company, numbers);
    expect(status).toBe('pendente');
    await killAndStartAgain();
    await untilStatus(stage, ana, id, 'enviado');
    expect(await storedNumbers(stage, id)).toEqual(numbers);
  });

  test('comes back: the plain server publishes what is owed, and does not wait for dispatch', async () => {
    // Its own pass is over by now, and the next is a minute away.
    await killAndStartAgain();
    await rabbitmq.close();
    const from = stage.output.length;
    const { id } = await accepted(stage, ana, company, someNumbers(5));
    await rabbitmq.open();
    await untilStatus(stage, ana, id, 'enviado');
    const line = () => stage.output.slice(from).find((each) => each.includes('"duty":"publish","published":1'));
    await stage.until(line, 'the duty says that it has published the campaign');
  });

  test('is down while a campaign is resumed: it is owed and goes out later', async () => {
    await rabbitmq.close();
    const numbers = someNumbers(3);
    const { id } = await accepted(stage, ana, company, numbers);
    await as(stage, ana)('POST', `/api/campaigns/${id}/pause`);
    expect(await dispatchOnce()).toContain('0 campaigns published, 0 still owed');
    const resumed = await as(stage, ana)('POST', `/api/campaigns/${id}/resume`);
    expect([resumed.status, resumed.body.status]).toEqual([200, 'pendente']);
    await rabbitmq.open();
    await dispatchOnce();
    await untilStatus(stage, ana, id, 'enviado');
    expect(await storedNumbers(stage, id)).toEqual(numbers);
  });

  test('does not answer: the upload is answered all the same', async () => {
    rabbitmq.hold();
    const started = Date.now();
    const { id, status } = await accepted(stage, ana, company, someNumbers(3));
    expect([status, Date.now() - started < 8_000]).toEqual(['pendente', true]);
    expect((await as(stage, ana)('DELETE', `/api/campaigns/${id}`)).status).toBe(204);
  });
});

describe('the API is killed', { timeout: TIMEOUT_MS }, () => {
  test('between commit and publish: the next one sends it, every number once', async () => {
    const numbers = someNumbers(1_203);
    rabbitmq.hold();
    const before = rabbitmq.swallowed;
    const asked = upload(stage, ana, company, numbers).catch((error: unknown) => error);
    await stage.until(() => rabbitmq.swallowed > before, 'the first message is on its way to the broker');
    const [row] = await stage.sql<{ id: string; published: number }>(
      'SELECT id, published FROM campaigns ORDER BY created_at DESC LIMIT 1',
    );
    await killAndStartAgain();
    expect([await asked, row?.published]).toEqual([expect.any(Error), 0]);
    const id = row?.id ?? '';
    expect(await untilStatus(stage, ana, id, 'enviado')).toMatchObject({
      total: 1_203,
      published: 1_203,
      stored: 1_203,
    });
    expect(await storedNumbers(stage, id)).toEqual(numbers);
  });

  test('in the middle of publishing: the next one sends the rest, every number once', async () => {
    const numbers = someNumbers(20_000);
    const asked = upload(stage, ana, company, numbers).catch(() => undefined);
    const newest = 'SELECT id, published FROM campaigns WHERE total = 20000 AND published > 0';
    const [row] = await stage.until(async () => {
      const rows = await stage.sql<{ id: string; published: number }>(newest);
      return rows.length > 0 ? rows : undefined;
    }, 'some of it is published');
    await killAndStartAgain();
    await asked;
    const id = row?.id ?? '';
    expect(await untilStatus(stage, ana, id, 'enviado')).toMatchObject({
      total: 20_000,
      published: 20_000,
      stored: 20_000,
    });
    expect(await storedNumbers(stage, id)).toEqual(numbers);
  });
});

describe('PostgreSQL', { timeout: TIMEOUT_MS }, () => {
  test('is down: 503 with Retry-After, nothing is stored, and it goes on when it is back', async () => {
    const before = await rowsStored(stage);
    await postgres.close();
    const answers = [
      await upload(stage, ana, company, someNumbers(5)),
      await as(stage, ana)('GET', '/api/campaigns'),
      await as(stage, ana)('POST', '/api/campaigns/zzzzzzzzzzzzzzzzzzzzzzzz/pause'),
    ];
    expect(answers.map((answer) => [...refusal(answer), answer.headers.get('retry-after')])).toEqual(
      answers.map(() => [503, 'SERVICE_UNAVAILABLE', expect.stringMatching(/^\d+$/)]),
    );
    expect(await health()).toEqual([503, { ...UP, status: 'down', postgres: 'down' }]);
    expect(await rowsStored(stage)).toEqual(before);
    await postgres.open();
    await stage.until(async () => (await health())[0] === 200, 'health is up again');
    expect(await health()).toEqual([200, UP]);
    const { id } = await accepted(stage, ana, company, someNumbers(5));
    await untilStatus(stage, ana, id, 'enviado');
  });

  test('dies in the middle of an upload: 503, nothing half done, and its Idempotency-Key is free', async () => {
    const before = await rowsStored(stage);
    const headers = { 'idempotency-key': 'the middle' };
    const swallowed = postgres.swallowed;
    // Another transaction locks the company's row, so that the upload is sure to be in the middle.
    const held = await holdCompany();
    const asked = upload(stage, ana, company, someNumbers(5_000), { headers });
    await held.untilWaited();
    postgres.hold();
    await held.release();
    await stage.until(() => postgres.swallowed > swallowed, 'the upload goes on into a connection that is gone');
    await postgres.close();
    expect(refusal(await asked)).toEqual([503, 'SERVICE_UNAVAILABLE']);
    await stage.until(async () => !(await openTransactions()), 'PostgreSQL has rolled back');
    expect(await rowsStored(stage)).toEqual(before);
    await postgres.open();
    expect((await upload(stage, ana, company, someNumbers(5_000), { headers })).status).toBe(201);
  });
});

describe('a lease that could not be given back', { timeout: TIMEOUT_MS }, () => {
  test('is given back when PostgreSQL is there again, not when its time is over', async () => {
    rabbitmq.hold();
    const swallowed = rabbitmq.swallowed;
    const { id } = await accepted(stage, ana, company, someNumbers(5));
    await stage.until(() => rabbitmq.swallowed > swallowed, 'it is on its way to the broker');
    await stage.sql("UPDATE campaigns SET lease_until = clock_timestamp() + interval '1 hour' WHERE id = $1", [id]);
    await postgres.close();
    await rabbitmq.close();
    const failed = () => stage.output.some((line) => line.includes(id) && line.includes('publishing failed'));
    await stage.until(failed, 'the publishing has failed');
    await postgres.open();
    await rabbitmq.open();
    await untilStatus(stage, ana, id, 'enviado');
  });
});

describe('MongoDB', { timeout: TIMEOUT_MS }, () => {
  test('is down: campaigns are accepted and deleted all the same, and health says so', async () => {
    const { id } = await accepted(stage, ana, company, someNumbers(3));
    await untilStatus(stage, ana, id, 'enviado');
    await mongodb.close();
    expect(await health()).toEqual([503, { ...UP, status: 'down', mongodb: 'down' }]);
    expect((await upload(stage, ana, company, someNumbers(3))).status).toBe(201);
    expect((await as(stage, ana)('DELETE', `/api/campaigns/${id}`)).status).toBe(204);
    expect(refusal(await as(stage, ana)('GET', `/api/campaigns/${id}`))).toEqual([404, 'CAMPAIGN.NOT_FOUND']);
  });

  test('is down: its messages are 503 with Retry-After, and are there again when it is back', async () => {
    const { id } = await accepted(stage, ana, company, someNumbers(3));
    await untilStatus(stage, ana, id, 'enviado');
    await mongodb.close();
    const answers = await Promise.all([
      as(stage, ana)('GET', `/api/campaigns/${id}/messages`),
      as(stage, ana)('GET', `/api/campaigns/${id}/messages.csv`),
    ]);
    expect(answers.map((answer) => [...refusal(answer), answer.headers.get('retry-after')])).toEqual(
      answers.map(() => [503, 'SERVICE_UNAVAILABLE', expect.stringMatching(/^\d+$/)]),
    );
    await mongodb.open();
    const { data } = await stage.until(async () => {
      const { status, body } = await as(stage, ana)<{ data: object[] }>('GET', `/api/campaigns/${id}/messages`);
      return status === 200 ? body : undefined;
    }, 'the messages can be read again');
    expect(data).toHaveLength(3);
  });
});

/** Whether a connection of the API is inside a transaction that has written. */
async function openTransactions(): Promise<boolean> {
  const rows = await stage.sql(
    `SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()`,
  );
  return rows.length > 0;
}

/** Locks the company's row, which an upload needs as soon as its transaction has begun. */
async function holdCompany() {
  const client = new pg.Client(stage.env.DATABASE_URL);
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [company.id]);
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  return {
    untilWaited: () =>
      stage.until(async () => (await stage.sql(waiting)).length > 0, 'the upload waits for the company'),
    async release(): Promise<void> {
      await client.query('COMMIT');
      await client.end();
    },
  };
}
