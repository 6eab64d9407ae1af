import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { until } from '../../../testing/until.js';
import {
  added,
  endOf,
  holdProcessing,
  post,
  read,
  someContact,
  someContacts,
  untilWorkerWaits,
  WORDS,
} from './fixtures.js';

const TIMER = expect.any(Number);
const PROBLEM = { type: 'about:blank', title: 'Bad Request', status: 400, detail: expect.any(String) };
const INVALID_JOB = { ...PROBLEM, code: 'CONTACT.INVALID_JOB', message: WORDS.invalidJob, timer: TIMER };
const job = (status: 'waiting' | 'active' | 'completed' | 'failed', more = {}) => ({
  status,
  message: WORDS[status],
  timer: TIMER,
  ...more,
});

let stage: ApiStage;
let hold: { release(): Promise<void> } | undefined;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { LOG_LEVEL: 'debug' } });
});

afterEach(async () => {
  await hold?.release();
  hold = undefined;
});

afterAll(() => stage?.close());

/** Holds the worker with one job, so that jobs of later requests wait. Returns the number of the job that is active. */
async function heldWith(contact = someContact()): Promise<string> {
  const owed = () => stage.sql('SELECT FROM contact_batches WHERE done_at IS NULL');
  // What the test before has left would hold the worker before it comes to this one.
  await stage.until(async () => (await owed()).length === 0, 'nothing is owed');
  hold = await holdProcessing(stage);
  const active = await added(stage, contact);
  await untilWorkerWaits(stage);
  return active;
}

/** A number whose batch exists and whose line does not. */
const beyond = (known: string) => String(BigInt(known) - (BigInt(known) % 1_000n) + 999n);

describe('a job', () => {
  test('is active, then completed, each with its words', async () => {
    const number = await heldWith();
    expect(await read(stage, number)).toMatchObject({ status: 200, body: job('active') });
    await hold?.release();
    expect(await endOf(stage, number)).toBe('completed');
    const { status, body } = await read(stage, number);
    expect([status, body]).toEqual([200, job('completed')]);
    expect(body.timer).toBeGreaterThanOrEqual(0);
  });

  test('waits while nobody has begun it', async () => {
    await heldWith();
    const { status, body } = await read(stage, await added(stage, someContact()));
    expect([status, body]).toEqual([200, job('waiting')]);
  });

  test('of other content than its id has is failed, with the reason', async () => {
    const contact = someContact();
    await endOf(stage, await added(stage, contact));
    const number = await added(stage, { ...contact, age: 99 });
    expect(await endOf(stage, number)).toBe('failed conflict');
    const { status, body } = await read(stage, number);
    expect([status, body]).toEqual([200, job('failed', { reason: 'conflict' })]);
  });

  test('may be named with leading zeros up to 16 digits', async () => {
    const number = await added(stage, someContact());
    await endOf(stage, number);
    expect((await read(stage, number.padStart(16, '0'))).body).toEqual(job('completed'));
    expect((await read(stage, number.padStart(17, '0'))).status).toBe(400);
  });
});

describe('a job that is not known', () => {
  test.each(['0', '1', '999', '9999999999999999', '99999999999999999', '-1', '1.5', '0x10', '1e3', 'abc', '%20', '١٢'])(
    '%s is 400 with the words and the timer',
    async (number) => {
      const { status, body } = await read(stage, number);
      expect([status, body]).toEqual([400, INVALID_JOB]);
    },
  );

  test('a line beyond the batch is 400', async () => {
    const { status, body } = await read(stage, beyond(await added(stage, someContact())));
    expect([status, body]).toEqual([400, INVALID_JOB]);
  });

  test('is answered at once though the caller would wait', async () => {
    const { status, body } = await read(stage, '999', '?wait=30');
    expect([status, body]).toEqual([400, INVALID_JOB]);
  });
});

describe('?wait', () => {
  test.each(['-1', '31', '1.5', '1e1', 'abc', '', '%205', '0x1', '100', '1&wait=2'])(
    '%s is 400, and judged before the job number',
    async (wait) => {
      const invalid = { ...PROBLEM, code: 'VALIDATION', message: WORDS.invalid };
      const errors = [{ path: 'wait', message: expect.any(String) }];
      for (const number of ['abc', '99007']) {
        const { status, body } = await read(stage, number, `?wait=${wait}`);
        expect([status, body]).toEqual([400, { ...invalid, errors }]);
      }
    },
  );

  test('is answered at the end of the job, and not before', async () => {
    const number = await heldWith();
    let answered = false;
    const answer = read(stage, number, '?wait=30').finally(() => {
      answered = true;
    });
    expect((await read(stage, number, '?wait=1')).body).toEqual(job('active'));
    expect(answered).toBe(false);
    await hold?.release();
    expect((await answer).body).toEqual(job('completed'));
  });

  test('is answered with the state of then when its time is over', async () => {
    await heldWith();
    const { body } = await read(stage, await added(stage, someContact()), '?wait=1');
    expect(body).toEqual(job('waiting'));
    expect(body.timer).toBeGreaterThanOrEqual(999);
  });

  test('0 is answered at once', async () => {
    const number = await heldWith();
    expect((await read(stage, number, '?wait=0')).body).toEqual(job('active'));
  });

  test('is answered, though its notification was missed', async () => {
    const number = await heldWith();
    const answers = Array.from({ length: 20 }, () => read(stage, number, '?wait=30'));
    const listening = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'`;
    await until(async () => expect(await stage.sql(listening)).toHaveLength(1));
    const ended = `SELECT pg_terminate_backend(pid) AS ended FROM (${listening}) AS of`;
    expect(await stage.sql(ended)).toEqual([{ ended: true }]);
    await hold?.release();
    for (const { body } of await Promise.all(answers)) {
      expect(body).toEqual(job('completed'));
      // The look of each second, not the end of the time.
      expect(body.timer).toBeLessThan(20_000);
    }
  });

  test('many that wait are each answered with their own job', async () => {
    const contact = someContact();
    await heldWith(contact);
    const numbers = await Promise.all(
      someContacts(200).map((each, at) => added(stage, at % 2 ? each : { ...each, id: contact.id })),
    );
    const answers = numbers.map((number) => read(stage, number, '?wait=30'));
    await hold?.release();
    const ends = (await Promise.all(answers)).map(({ body }) => body);
    expect(ends).toEqual(numbers.map((_, at) => (at % 2 ? job('completed') : job('failed', { reason: 'conflict' }))));
  });
});

test('the statistics count all jobs that are kept', async () => {
  const own = await ApiStage.open();
  try {
    const contact = someContact();
    await endOf(own, await added(own, contact));
    const ends = [{ ...contact }, { ...contact, age: 1 }, { ...contact, name: 'B' }].map(async (each) =>
      endOf(own, await added(own, each)),
    );
    expect(await Promise.all(ends)).toEqual(['completed', 'failed conflict', 'failed conflict']);
    const ownStats = async () => (await own.api('GET', '/api/user/jobs/stats')).body;
    await until(async () =>
      expect(await ownStats()).toEqual({ waiting: 0, active: 0, completed: 2, failed: 2, oldest_waiting_s: 0 }),
    );
    const held = await holdProcessing(own);
    try {
      await added(own, someContact());
      await untilWorkerWaits(own);
      for (const each of someContacts(3)) await added(own, each);
      await own.sql(
        `UPDATE contact_batches SET accepted_at = accepted_at - interval '100 seconds' WHERE started_at IS NULL`,
      );
      const counts = { waiting: 3, active: 1, completed: 2, failed: 2, oldest_waiting_s: expect.any(Number) };
      const now = await until(async () => {
        const found = await ownStats();
        expect(found).toEqual(counts);
        expect(found.oldest_waiting_s).toBeGreaterThanOrEqual(100);
        return found.oldest_waiting_s;
      });
      expect(Number.isInteger(now)).toBe(true);
    } finally {
      await held.release();
    }
  } finally {
    await own.close();
  }
});

test('a request below 500 leaves no line at info', async () => {
  const from = stage.output.length;
  const number = await added(stage, someContact());
  await endOf(stage, number);
  await post(stage, {});
  const lines = () =>
    stage.output.slice(from).map((line) => JSON.parse(line) as { level: number; msg: string; status?: number });
  const answered = () => lines().filter(({ msg }) => msg === 'answered');
  await until(() => expect(answered().map(({ status }) => status)).toEqual(expect.arrayContaining([202, 200, 400])));
  expect(new Set(answered().map(({ level }) => level))).toEqual(new Set([20]));
});

test('with CONTACTS_PUBLIC=false all three routes ask for a login', async () => {
  const closed = await stage.beside({ CONTACTS_PUBLIC: 'false' });
  const routes = [
    ['POST', '/api/user', 202],
    ['GET', '/api/user/1', 400],
    ['GET', '/api/user/jobs/stats', 200],
  ] as const;
  const { token } = await stage.user();
  for (const [method, path, status] of routes) {
    const body = method === 'POST' ? { body: someContact() } : {};
    const words = method === 'POST' ? WORDS.invalid : expect.any(String);
    const refused = await closed.api(method, path, body);
    expect([refused.status, refused.body.code, refused.body.message]).toEqual([401, 'AUTH.TOKEN_MISSING', words]);
    const forged = await closed.api(method, path, { ...body, token: `${token}x` });
    expect([forged.status, forged.body.code]).toEqual([401, 'AUTH.TOKEN_INVALID']);
    expect((await closed.api(method, path, { ...body, token })).status).toBe(status);
  }
  await closed.kill();
});

test('told to stop, it answers all that wait at once, and ends with 0', async () => {
  const own = await ApiStage.open();
  try {
    const held = await holdProcessing(own);
    const active = await added(own, someContact());
    await untilWorkerWaits(own);
    const waiting = await added(own, someContact());
    const answers = [active, waiting].flatMap((number) =>
      Array.from({ length: 25 }, () => read(own, number, '?wait=30')),
    );
    await own.until(
      async () =>
        (await own.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'`))
          .length > 0,
      'it listens',
    );
    // A request that is answered after them shows that they wait.
    await read(own, active);
    own.signal('SIGTERM');
    const bodies = (await Promise.all(answers)).map(({ body }) => body);
    expect(bodies).toEqual([...Array(25).fill(job('active')), ...Array(25).fill(job('waiting'))]);
    for (const { timer } of bodies) expect(timer).toBeLessThan(25_000);
    await held.release();
    expect(await own.exited()).toBe(0);
  } finally {
    await own.close();
  }
});

test('told to stop while PostgreSQL is silent, it answers those that wait, too', async () => {
  const own = await ApiStage.open({ start: false });
  const postgres = await TcpProxy.openTo(own.env.DATABASE_URL, 5_432);
  try {
    await own.start({ env: { DATABASE_URL: postgres.url } });
    const held = await holdProcessing(own);
    const active = await added(own, someContact());
    await untilWorkerWaits(own);
    const answer = read(own, active, '?wait=30');
    await read(own, active);
    postgres.hold();
    own.signal('SIGTERM');
    expect((await answer).body).toEqual(job('active'));
    await postgres.open();
    await held.release();
    expect(await own.exited()).toBe(0);
  } finally {
    await own.close();
    await postgres.close();
  }
});
