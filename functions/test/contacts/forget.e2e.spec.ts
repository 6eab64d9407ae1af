import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { ran, started } from '../campaigns/fixtures.js';

const HOLD = 4_713;
const TABLES = ['contacts', 'contact_teams', 'contact_projects', 'contact_logs'];
const WAITS = '1 batches that hold it are not done: run it again when they are';

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

function contact(id: string, name = 'Ana') {
  const projects = [
    { name: 'Portal', completed: false },
    { name: 'Aplicativo', completed: true },
  ];
  const logs = [
    { date: '2025-03-01', action: 'login' },
    { date: '2025-03-01', action: 'logout' },
    { date: '2025-03-02', action: 'login' },
  ];
  const team = { name: 'Vendas', leader: true, projects };
  return { id, name, age: 31, score: 87.5, active: true, country: 'Brasil', team, logs };
}

/** Sends a user, which must be accepted; returns the number of its job. */
async function added(id: string, name?: string): Promise<string> {
  const { status, body } = await stage.api('POST', '/api/user', { body: contact(id, name) });
  if (status !== 202) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`);
  return String(body.job);
}

/** The end of a job: its status, and the reason of a failure. */
async function endOf(job: string): Promise<[status: unknown, reason?: unknown]> {
  const { body } = await stage.api('GET', `/api/user/${job}?wait=30`);
  return body.reason === undefined ? [body.status] : [body.status, body.reason];
}

/** How many rows each of the four tables has. */
async function rows(): Promise<number[]> {
  const counts = await Promise.all(TABLES.map((table) => stage.sql(`SELECT count(*)::int AS rows FROM ${table}`)));
  return counts.map(([row]) => row?.rows as number);
}

const forget = (id: string, ...args: string[]) => ran(stage, 'retention', ['--contact', id, ...args]);

const waiting = () =>
  stage.sql("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");

beforeEach(() => stage.sql(`TRUNCATE ${TABLES.join(', ')}`));

test('its rows go from all four tables, and those of others stay', async () => {
  const [id, other] = [randomUUID(), randomUUID()];
  expect([await endOf(await added(id)), await endOf(await added(other))]).toEqual([['completed'], ['completed']]);
  expect(await rows()).toEqual([2, 2, 4, 6]);
  expect(await forget(id)).toEqual([0, '1 contact forgotten\n']);
  expect([await rows(), await stage.sql('SELECT id FROM contacts')]).toEqual([[1, 1, 2, 3], [{ id: other }]]);
  expect(await forget(id)).toEqual([0, '0 contacts forgotten\n']);
});

test('a dry run counts and changes nothing', async () => {
  const id = randomUUID();
  await endOf(await added(id));
  expect(await forget(id, '--dry-run')).toEqual([0, '1 contact would be forgotten\n']);
  expect(await rows()).toEqual([1, 1, 2, 3]);
  expect(await forget(randomUUID(), '--dry-run')).toEqual([0, '0 contacts would be forgotten\n']);
});

test('the id is taken in any letter case', async () => {
  const id = randomUUID();
  await endOf(await added(id));
  expect(await forget(id.toUpperCase())).toEqual([0, '1 contact forgotten\n']);
  expect(await rows()).toEqual([0, 0, 0, 0]);
});

test('sent again afterwards, it is a new contact with its new content', async () => {
  const id = randomUUID();
  const first = await added(id, 'before');
  await endOf(first);
  expect(await endOf(await added(id, 'after'))).toEqual(['failed', 'conflict']);
  await forget(id);
  expect(await endOf(await added(id, 'after'))).toEqual(['completed']);
  expect(await stage.sql('SELECT name FROM contacts')).toEqual([{ name: 'after' }]);
  // What was told of the first job stays true: it was stored.
  expect(await endOf(first)).toEqual(['completed']);
});

test.each([[['--contact']], [['--contact', 'x']], [['--contact', `${randomUUID()}0`]], [['--contact', '%']]])(
  'is not told what to do by %j',
  async (args) => {
    const [code, output] = await ran(stage, 'retention', args);
    expect([code, output]).toEqual([78, expect.stringMatching(/^usage: npm run retention.*--contact <uuid>/)]);
  },
);

describe('while a worker processes the same id', () => {
  let holder: pg.Client;

  beforeAll(async () => {
    // Holds a worker after it has looked which ids are new, and before it compares the others.
    await stage.sql(`
      CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(${HOLD}); RETURN NULL; END $$;
      CREATE TRIGGER held AFTER INSERT ON contacts FOR EACH STATEMENT EXECUTE FUNCTION held();`);
    holder = new pg.Client({ connectionString: stage.env.DATABASE_URL });
    await holder.connect();
  });

  afterEach(() => holder.query('SELECT pg_advisory_unlock_all()'));

  afterAll(async () => {
    await holder.end();
    await stage.sql('DROP TRIGGER held ON contacts');
  });

  const hold = () => holder.query('SELECT pg_advisory_lock($1)', [HOLD]);
  const letGo = () => holder.query('SELECT pg_advisory_unlock($1)', [HOLD]);
  const untilWaiting = (count: number) =>
    stage.until(async () => (await waiting()).length === count, `${count} wait for a lock`);

  test('a batch that holds it and is not done is told, and the next run ends it', async () => {
    const id = randomUUID();
    await hold();
    const job = await added(id);
    await untilWaiting(1);
    expect(await forget(id, '--dry-run')).toEqual([75, `0 contacts would be forgotten, ${WAITS}\n`]);
    const { ended } = started(stage, 'retention', ['--contact', id]);
    await untilWaiting(2);
    await letGo();
    expect(await ended).toEqual([75, `1 contact forgotten, ${WAITS}\n`]);
    expect([await endOf(job), await rows()]).toEqual([['completed'], [0, 0, 0, 0]]);
    expect(await forget(id)).toEqual([0, '0 contacts forgotten\n']);
  });

  test('a job with other content fails: it never counts as stored when nothing of it is', async () => {
    const id = randomUUID();
    await endOf(await added(id, 'before'));
    await hold();
    const job = await added(id, 'other');
    await untilWaiting(1);
    const { ended } = started(stage, 'retention', ['--contact', id]);
    // Without the guard it waits for nobody, and has ended.
    await Promise.race([untilWaiting(2), ended]);
    await letGo();
    expect((await ended)[1]).toContain('1 contact forgotten');
    expect([await endOf(job), await rows()]).toEqual([
      ['failed', 'conflict'],
      [0, 0, 0, 0],
    ]);
  });
});
