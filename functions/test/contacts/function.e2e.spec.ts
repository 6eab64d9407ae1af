import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ApiStage } from '../../../testing/api-stage.js';
import { Process, ROOT } from '../../../testing/process.js';
import { PATIENCE_MS } from '../campaigns/fixtures.js';
import { Offline } from '../offline.js';
import { OwnFunction } from '../own-function.js';

const FUNCTION_MS = 55_000;
const TICK = { source: 'aws.events' };
const HOLD = 4_712;
const ACCEPTED = 'User add to queue successfully, wait for the result.';
const COMPLETED = 'User created sucessfully';
const NOT_TAKEN = 'Failed to insert a new user into queue, try again.';
const NOT_READ = 'Ocorreu um erro, tenta novamente.';
const INVALID = 'Dados inválidos';
const NOTHING_DONE = 'the request took too long, and nothing of it was done';
const MAYBE_DONE = 'the request took too long; it may have been done, so look before you repeat it';
/** How PostgreSQL ends what it sends for a look at one job. */
const ONE_ROW = 'SELECT 1\0';
const MIB = 1_048_576;

let own: OwnFunction;
let stage: ApiStage;

beforeAll(async () => {
  own = await OwnFunction.open('contacts');
  stage = own.stage;
});

afterAll(() => own?.close());

function contact(id: string = randomUUID(), name = 'Ana') {
  const team = { name: 'Vendas', leader: true, projects: [{ name: 'Portal', completed: false }] };
  const logs = [{ date: '2025-03-01', action: 'login' }];
  return { id, name, age: 31, score: 87.5, active: true, country: 'Brasil', team, logs };
}

function eventOf(method: string, path: string, body?: object): object {
  const [rawPath = '', rawQueryString = ''] = path.split('?');
  return {
    version: '2.0',
    routeKey: 'ANY /api/user/{proxy+}',
    rawPath,
    rawQueryString,
    headers: { 'content-type': 'application/json' },
    requestContext: { http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    ...(body && { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  };
}

const context = (timeMs = FUNCTION_MS) => own.context(timeMs);

async function call(method: string, path: string, body?: object, timeMs?: number) {
  const { statusCode, headers, body: text } = await own.handler(eventOf(method, path, body), context(timeMs));
  return { status: statusCode, headers, body: JSON.parse(text) };
}

const add = (body: object = contact(), timeMs?: number) => call('POST', '/api/user', body, timeMs);
const read = (job: string, query = '') => call('GET', `/api/user/${job}${query}`);
const tick = (timeMs?: number) => own.handler(TICK, context(timeMs));

/** Sends a user, which must be accepted. */
async function added(body: object = contact()): Promise<string> {
  const answer = await add(body);
  expect([answer.status, answer.body]).toEqual([202, { message: ACCEPTED, job: expect.stringMatching(/^\d+$/) }]);
  return answer.body.job;
}

const problem = (code: string, message: string, detail: unknown = expect.any(String)) => ({
  ...{ type: 'about:blank', title: 'Service Unavailable', status: 503, detail, code, message },
});

const names = () =>
  stage.sql<{ name: string }>('SELECT name FROM contacts').then((rows) => rows.map((row) => row.name));

/** Waits until nobody waits for PostgreSQL any more: what was sent is done or undone. */
const untilQuiet = () =>
  stage.until(
    async () => {
      const busy = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`;
      return (await stage.sql(busy)).length === 0;
    },
    'no statement runs',
    PATIENCE_MS,
  );

const lockWaits = () =>
  stage.sql("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
const untilOneWaits = () =>
  stage.until(async () => (await lockWaits()).length > 0, 'one waits for a lock', PATIENCE_MS);

test('takes two parameters, for nodejs24.x refuses a third', () => {
  expect(own.handler.length).toBeLessThanOrEqual(2);
});

test('a start that failed is answered with the words of the route', async () => {
  vi.stubEnv('QUEUE_PARTITIONS', 'many');
  const words = 'the function could not answer';
  expect((await add()).body).toEqual(problem('SERVICE_UNAVAILABLE', NOT_TAKEN, words));
  expect((await read('1')).body).toEqual(problem('SERVICE_UNAVAILABLE', NOT_READ, words));
  await expect(tick()).rejects.toThrow('QUEUE_PARTITIONS');
  vi.stubEnv('QUEUE_PARTITIONS', '1');
});

test('a user is accepted, and completed by the first GET', async () => {
  const user = contact();
  const answer = await add(user);
  const { job } = answer.body;
  expect([answer.status, answer.headers.location]).toEqual([202, `/api/user/${job}`]);
  expect(await read(job)).toMatchObject({
    status: 200,
    body: { status: 'completed', message: COMPLETED, timer: expect.any(Number) },
  });
  expect(
    await stage.sql(
      `SELECT c.id, c.name, t.name AS team, p.name AS project, l.action FROM contacts c
         JOIN contact_teams t USING (job) JOIN contact_projects p USING (job) JOIN contact_logs l USING (job) WHERE job = $1`,
      [job],
    ),
  ).toEqual([{ id: user.id, name: 'Ana', team: 'Vendas', project: 'Portal', action: 'login' }]);
  expect(await tick()).toEqual({ contacts: 0 });
});

test('no statement leaves a transaction open: a frozen process would keep its locks', async () => {
  own.heard = '';
  const job = await added();
  await read(job, '?wait=1');
  await tick();
  // ReadyForQuery of the protocol has I outside of a transaction, T inside of one and E inside of one that failed.
  const states = own.heard.split('Z\0\0\0\x05').slice(1);
  expect(new Set(states.map(([state]) => state))).toEqual(new Set(['I']));
  expect(own.heard).not.toContain('BEGIN\0');
});

test('many at once in one process all get a job of their own, and its end', async () => {
  const users = Array.from({ length: 20 }, (_, at) => contact(randomUUID(), `at once ${at}`));
  const jobs = await Promise.all(users.map((user) => added(user)));
  expect(new Set(jobs).size).toBe(20);
  await tick();
  expect(new Set(await Promise.all(jobs.map(async (job) => (await read(job)).body.status)))).toEqual(
    new Set(['completed']),
  );
  expect((await names()).filter((name) => name.startsWith('at once')).length).toBe(20);
});

test('the same user twice at once, with other content, has one winner', async () => {
  const id = randomUUID();
  const jobs = await Promise.all([added(contact(id, 'one')), added(contact(id, 'two'))]);
  await tick();
  const ends = await Promise.all(jobs.map(async (job) => (await read(job)).body));
  expect(ends.map(({ status }) => status).sort()).toEqual(['completed', 'failed']);
  expect(ends.find(({ status }) => status === 'failed')).toMatchObject({ reason: 'conflict' });
  const winner = ends[0].status === 'completed' ? 'one' : 'two';
  expect(await stage.sql('SELECT name FROM contacts WHERE id = $1', [id])).toEqual([{ name: winner }]);
});

describe('while the processing is held', () => {
  let holder: pg.Client;

  beforeAll(async () => {
    await stage.sql(`
      CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(${HOLD}); RETURN NEW; END $$;
      CREATE TRIGGER held BEFORE INSERT ON contacts FOR EACH ROW WHEN (NEW.name = 'held') EXECUTE FUNCTION held();`);
    holder = new pg.Client({ connectionString: stage.env.DATABASE_URL });
    await holder.connect();
  });

  beforeEach(() => holder.query('SELECT pg_advisory_lock($1)', [HOLD]));

  afterEach(async () => {
    await holder.query('SELECT pg_advisory_unlock_all()');
    await untilQuiet();
  });

  afterAll(async () => {
    await holder.end();
    await stage.sql('DROP TRIGGER held ON contacts');
  });

  const held = () => added(contact(randomUUID(), 'held'));

  test('POST is answered all the same, and GET says active', async () => {
    const job = await held();
    expect((await read(job)).body).toMatchObject({ status: 'active', message: 'User is being created...' });
  });

  test('?wait looks again and again, and is answered at the end', async () => {
    const job = await held();
    own.heard = '';
    const waiting = read(job, '?wait=30');
    await stage.until(() => own.heard.includes(ONE_ROW), 'it has looked once');
    await holder.query('SELECT pg_advisory_unlock($1)', [HOLD]);
    expect((await waiting).body).toMatchObject({ status: 'completed' });
  });

  test('?wait ends after five seconds, and not after thirty', async () => {
    const job = await held();
    own.heard = '';
    const { status, body } = await read(job, '?wait=30');
    expect([status, body.status]).toEqual([200, 'active']);
    // It has looked each 500 ms.
    const looks = own.heard.split(ONE_ROW).length - 1;
    expect(looks).toBeGreaterThan(1);
    expect(looks).toBeLessThanOrEqual(11);
  });

  test('a job whose worker was killed is brought to its end by the next pass', async () => {
    const event = eventOf('POST', '/api/user', contact(randomUUID(), 'held'));
    const code = `import(${JSON.stringify(own.url)}).then(({ handler }) =>
      handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 55000 })).then(({ body }) => console.log(body))`;
    const worker = stage.stores.with(
      new Process('a function', [process.execPath, '-e', code], { env: process.env, cwd: ROOT }),
    );
    const line = await stage.until(() => worker.output.find((each) => each.includes('job')), 'accepted', PATIENCE_MS);
    const { job } = JSON.parse(line) as { job: string };
    await untilOneWaits();
    await worker.kill();
    // Its connection ends with it, but PostgreSQL notices that only when the statement is over.
    await stage.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event_type = 'Lock'`);
    await holder.query('SELECT pg_advisory_unlock($1)', [HOLD]);
    await untilQuiet();
    expect((await read(job)).body).toMatchObject({ status: 'active' });
    expect(await tick()).toEqual({ contacts: 1 });
    expect((await read(job)).body).toMatchObject({ status: 'completed' });
  });
});

describe('near the end of its time', () => {
  const SHORT_MS = 2_000;
  let keeper: pg.Client;

  beforeEach(async () => {
    keeper = new pg.Client(stage.env.DATABASE_URL);
    await keeper.connect();
  });

  afterEach(() => keeper.end());

  test('what is refused before it was sent to the store is stored never', async () => {
    const { status, body } = await add(contact(randomUUID(), 'late'), 0);
    expect([status, body]).toEqual([503, problem('SERVICE_UNAVAILABLE', NOT_TAKEN, NOTHING_DONE)]);
    await added();
    await untilQuiet();
    await tick();
    expect(await names()).not.toContain('late');
  });

  test('what was sent and has no answer is told as such, and may be sent again', async () => {
    await keeper.query('BEGIN; LOCK TABLE contact_batches IN SHARE ROW EXCLUSIVE MODE');
    const user = contact(randomUUID(), 'slow');
    const { status, body } = await add(user, SHORT_MS);
    expect([status, body]).toEqual([503, problem('SERVICE_UNAVAILABLE', NOT_TAKEN, MAYBE_DONE)]);
    await keeper.query('COMMIT');
    const job = await added(user);
    await untilQuiet();
    await tick();
    expect((await read(job)).body).toMatchObject({ status: 'completed' });
    expect((await names()).filter((name) => name === 'slow')).toEqual(['slow']);
  });

  test('the gateway waits for 30 s only, and nobody is answered after it', async () => {
    await keeper.query('BEGIN; LOCK TABLE contact_batches IN SHARE ROW EXCLUSIVE MODE');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const adding = add();
      while ((await lockWaits()).length === 0);
      vi.advanceTimersByTime(30_000);
      expect((await adding).body).toMatchObject({ status: 503, detail: MAYBE_DONE });
    } finally {
      vi.useRealTimers();
      await keeper.query('COMMIT');
    }
  });

  test('a GET without an answer of the store has its own words', async () => {
    await keeper.query('BEGIN; LOCK TABLE contact_batches');
    const { status, body } = await call('GET', '/api/user/1000000', undefined, SHORT_MS);
    expect([status, body]).toEqual([503, problem('SERVICE_UNAVAILABLE', NOT_READ, NOTHING_DONE)]);
  });
});

describe('while PostgreSQL is away', () => {
  beforeAll(() => own.proxy.close());
  afterAll(() => own.proxy.open());

  test('POST and GET are 503, each with its words', async () => {
    expect((await add()).body).toEqual(problem('SERVICE_UNAVAILABLE', NOT_TAKEN));
    expect((await read('1000000')).body).toEqual(problem('SERVICE_UNAVAILABLE', NOT_READ));
  });

  test('a pass stops five seconds before its end, and does not fail', async () => {
    expect(await tick(6_000)).toEqual({ contacts: 0 });
  });
});

test('after an outage the next user is taken', async () => {
  const job = await added();
  await tick();
  expect((await read(job)).body).toMatchObject({ status: 'completed' });
});

describe('under serverless offline', () => {
  let offline: Offline;

  beforeAll(async () => {
    offline = await Offline.open(stage);
  }, PATIENCE_MS * 2);

  afterAll(() => offline?.close());

  test('its routes win over those of the API, and answer as on the plain server', async () => {
    const answer = await stage.api('POST', '/api/user', { body: contact() });
    expect([answer.status, answer.body]).toEqual([202, { message: ACCEPTED, job: expect.stringMatching(/^\d+$/) }]);
    const { status, body } = await stage.api('GET', String(answer.headers.get('location')));
    expect([status, body]).toEqual([200, { status: 'completed', message: COMPLETED, timer: expect.any(Number) }]);
    expect((await stage.api('GET', '/api/user/jobs/stats')).status).toBe(200);
    expect((await stage.api('GET', '/api/user/nothing')).body).toMatchObject({ code: 'CONTACT.INVALID_JOB' });
    expect((await stage.api('GET', '/api/users/nothing')).body).toMatchObject({ code: 'AUTH.TOKEN_MISSING' });
  });

  test.each([1, 12])('a body of %i MiB is refused as one over the limit of the route', async (mib) => {
    const body = JSON.stringify(contact(randomUUID(), 'x'.repeat(mib * MIB)));
    const answer = await stage.api('POST', '/api/user', { body });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      413,
      expect.stringMatching(/^application\/problem\+json/),
    ]);
    expect(answer.body).toMatchObject({ code: 'CONTACT.TOO_LARGE', message: INVALID });
  });

  test('a body that never comes to the function is refused in the same words', async () => {
    const bytes = JSON.stringify(contact(randomUUID(), 'x'.repeat(72 * MIB)));
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) };
    const asked = request(`${stage.url}/api/user`, { method: 'POST', agent: false, headers });
    asked.end(bytes);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const text = Buffer.concat(await response.toArray()).toString();
    expect([response.statusCode, JSON.parse(text)]).toEqual([
      413,
      expect.objectContaining({ code: 'CONTACT.TOO_LARGE', message: INVALID }),
    ]);
  });

  test('a path that cannot be decoded is a problem', async () => {
    const { status, body } = await stage.api('GET', '/api/user/%ff');
    expect([status, body.code]).toEqual([400, 'VALIDATION']);
  });
});
