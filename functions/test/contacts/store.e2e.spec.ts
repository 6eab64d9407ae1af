import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { until } from '../../../testing/until.js';
import {
  added,
  type ContactBody,
  endOf,
  orphans,
  read,
  rowsOf,
  someContact,
  someContacts,
  storedContacts,
} from './fixtures.js';

const LINES = 500;
/** The name that the trigger of a test refuses. */
const REFUSED = 'Refused by the test';

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterEach(() => stage.sql('DROP FUNCTION IF EXISTS refuse() CASCADE'));

afterAll(() => stage?.close());

/** From now on the store refuses users of this name with this SQLSTATE. */
async function refuse(sqlstate: string): Promise<void> {
  await stage.sql(
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF NEW.name = '${REFUSED}' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '${sqlstate}'; END IF;
       RETURN NEW;
     END $$`,
  );
  await stage.sql('CREATE TRIGGER refuse BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION refuse()');
}

/** Accepts each list as one batch, all in one transaction. Returns the ids of the batches. */
async function batchesOf(lists: ContactBody[][]): Promise<bigint[]> {
  const rows = await stage.sql<{ id: string }>(
    `WITH block AS (SELECT nextval('contact_batch_blocks') AS first)
     INSERT INTO contact_batches (id, size, payload)
     SELECT first + at - 1, size, payload FROM block, unnest($1::int[], $2::text[]) WITH ORDINALITY AS given(size, payload, at)
     RETURNING id`,
    [lists.map(({ length }) => length), lists.map((users) => users.map((user) => JSON.stringify(user)).join('\n'))],
  );
  return rows.map(({ id }) => BigInt(id));
}

const jobOf = (batch: bigint | undefined, line: number) => String((batch ?? 0n) * 1_000n + BigInt(line));

/** The lines of the log at this level or above that hold this text, since this many lines. */
function logged(from: number, level: number, text: string): Record<string, unknown>[] {
  const lines = stage.output.slice(from).map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.filter((line) => Number(line.level) >= level && String(line.msg).includes(text));
}

describe('a batch', () => {
  test.each(['23514', '22001', '23505'])(
    'of which one is refused with %s: that one fails, 499 do not',
    async (sqlstate) => {
      const from = stage.output.length;
      await refuse(sqlstate);
      const users = someContacts(LINES);
      const [bad, at] = [someContact({ name: REFUSED }), 137];
      users[at] = bad;
      const [batch] = await batchesOf([users]);
      expect(await endOf(stage, jobOf(batch, at))).toBe('failed refused_by_store');
      const [row] = await stage.sql('SELECT failed FROM contact_batches WHERE id = $1', [String(batch)]);
      expect(row).toEqual({ failed: { [jobOf(batch, at)]: `refused_by_store:${sqlstate}` } });
      const neighbours = [0, at - 1, at + 1, LINES - 1].map((line) => endOf(stage, jobOf(batch, line)));
      expect(await Promise.all(neighbours)).toEqual(Array(4).fill('completed'));
      const rows = await storedContacts(stage);
      expect(users.map(({ id }) => rows.get(id))).toEqual(
        users.map((user) => (user === bad ? undefined : rowsOf(user))),
      );
      expect(await orphans(stage)).toBe(0);
      await until(() =>
        expect(logged(from, 50, 'refused')).toEqual([
          expect.objectContaining({ job: jobOf(batch, at), sqlstate, level: 50 }),
        ]),
      );
    },
  );

  test('one by one, too, has one content an id', async () => {
    await refuse('23514');
    const user = someContact();
    const users = [someContact({ name: REFUSED }), user, { ...user, age: 1 }, user, { ...user, country: 'Chile' }];
    const [batch] = await batchesOf([users]);
    const ends = await Promise.all(users.map((_, line) => endOf(stage, jobOf(batch, line))));
    expect(ends).toEqual(['failed refused_by_store', 'completed', 'failed conflict', 'completed', 'failed conflict']);
    expect((await storedContacts(stage)).get(user.id)).toEqual(rowsOf(user));
  });

  test('whose first holder of an id is refused gives the id to the next', async () => {
    await refuse('23514');
    const user = someContact();
    const [batch] = await batchesOf([[{ ...user, name: REFUSED }, user]]);
    expect(await endOf(stage, jobOf(batch, 0))).toBe('failed refused_by_store');
    expect(await endOf(stage, jobOf(batch, 1))).toBe('completed');
  });

  test.each(['P0001', 'XX000', '42883'])('that meets a bug (%s) is put off; the others go on', async (sqlstate) => {
    const from = stage.output.length;
    await refuse(sqlstate);
    const lists = Array.from({ length: 12 }, () => someContacts(3));
    const bad = someContact({ name: REFUSED });
    lists[4]?.push(bad);
    const batches = await batchesOf(lists);
    const job = jobOf(batches[4], 3);
    const others = batches.filter((batch) => batch !== batches[4]);
    expect(new Set(await Promise.all(others.map((batch) => endOf(stage, jobOf(batch, 0)))))).toEqual(
      new Set(['completed']),
    );
    const putOff = await until(async () => {
      const [row] = await stage.sql<Record<string, unknown>>(
        `SELECT attempts > 0 AS counted, not_before - clock_timestamp() <= power(2, attempts) * interval '1 second' AS soon,
                done_at IS NULL AS owed, failed FROM contact_batches WHERE id = $1 AND not_before IS NOT NULL`,
        [String(batches[4])],
      );
      if (!row) throw new Error('not put off');
      return row;
    });
    expect(putOff).toEqual({ counted: true, soon: true, owed: true, failed: {} });
    const of = others.map(String);
    expect(await stage.sql('SELECT FROM contact_batches WHERE attempts > 0 AND id = ANY ($1)', [of])).toEqual([]);
    expect((await read(stage, job)).body.status).toBe('active');
    expect(logged(from, 50, 'bug').length).toBeGreaterThan(0);
    await stage.sql('DROP FUNCTION refuse() CASCADE');
    expect(await endOf(stage, job)).toBe('completed');
    expect((await storedContacts(stage)).get(bad.id)).toEqual(rowsOf(bad));
  });

  test.each(['40001', '40P01', '53100', '57014'])(
    'that meets %s stays as it is, and is tried again',
    async (sqlstate) => {
      await refuse(sqlstate);
      const from = stage.output.length;
      const users = [...someContacts(3), someContact({ name: REFUSED })];
      const [batch] = await batchesOf([users]);
      await until(() => expect(logged(from, 40, 'contacts').length).toBeGreaterThan(0));
      const [row] = await stage.sql('SELECT attempts, not_before, done_at, failed FROM contact_batches WHERE id = $1', [
        String(batch),
      ]);
      expect(row).toEqual({ attempts: 0, not_before: null, done_at: null, failed: {} });
      await stage.sql('DROP FUNCTION refuse() CASCADE');
      const ends = await Promise.all(users.map((_, line) => endOf(stage, jobOf(batch, line))));
      expect(ends).toEqual(Array(4).fill('completed'));
    },
  );
});

test('batches that are too many for a statement are brought to their end one by one', async () => {
  await stage.sql(
    `CREATE FUNCTION refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF (SELECT count(*) FROM rows) > 3 THEN RAISE EXCEPTION 'too slow' USING ERRCODE = '57014'; END IF;
       RETURN NULL; END $$`,
  );
  await stage.sql(
    'CREATE TRIGGER refuse_many AFTER INSERT ON contacts REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_many()',
  );
  const groups = Array.from({ length: 4 }, () => someContacts(2));
  const batches = await batchesOf(groups);
  const ends = await Promise.all(batches.flatMap((batch) => [0, 1].map((line) => endOf(stage, jobOf(batch, line)))));
  expect(ends).toEqual(Array(8).fill('completed'));
  await stage.sql('DROP FUNCTION refuse_many() CASCADE');
});

test('an end leaves no second copy of what was sent', async () => {
  await endOf(stage, await added(stage, someContact({ name: 'Only once' })));
  expect(await stage.sql(`SELECT FROM contact_batches WHERE done_at IS NOT NULL AND payload IS NOT NULL`)).toEqual([]);
  expect(stage.output.filter((line) => line.includes('Only once'))).toEqual([]);
});

describe('the duties', () => {
  let swept: ApiStage;

  beforeAll(async () => {
    swept = await ApiStage.open({ env: { CONTACTS_JOBS_KEEP_S: '60' } });
  });

  afterAll(() => swept?.close());

  /** Runs every duty once, in a process of its own. Returns its lines. */
  async function dispatch(): Promise<string[]> {
    const pass = swept.script('command', ['dispatch']);
    expect(await pass.exited, pass.everything).toBe(0);
    return pass.output;
  }

  const grow = (job: string, seconds: number) =>
    swept.sql(`UPDATE contact_batches SET done_at = done_at - $2 * interval '1 second' WHERE id = $1::bigint / 1000`, [
      job,
      seconds,
    ]);

  test('sweep jobs that are kept no longer; their contacts stay', async () => {
    const [user, other] = [someContact(), someContact()];
    const old = await added(swept, user);
    const kept = await added(swept, other);
    expect([await endOf(swept, old), await endOf(swept, kept)]).toEqual(['completed', 'completed']);
    const conflict = await added(swept, { ...user, age: 99 });
    expect(await endOf(swept, conflict)).toBe('failed conflict');
    await grow(old, 61);
    await grow(conflict, 61);
    await grow(kept, 30);
    // It waits since a year, for a time that does not come.
    await swept.sql(
      `INSERT INTO contact_batches (id, size, payload, accepted_at, started_at, not_before)
       VALUES (1, 1, $1, now() - interval '1 year', now() - interval '1 year', 'infinity')`,
      [JSON.stringify(someContact())],
    );
    await dispatch();
    const statuses = [old, conflict, kept, '1000'].map(async (job) => (await read(swept, job)).body.status);
    expect(await Promise.all(statuses)).toEqual([400, 400, 'completed', 'active']);
    expect((await storedContacts(swept)).get(user.id)).toEqual(rowsOf(user));
  });

  test('sweep more than one statement deletes', async () => {
    await swept.sql(
      `INSERT INTO contact_batches (id, size, payload, started_at, done_at)
       SELECT n, 1, NULL, now(), now() - interval '1 hour' FROM generate_series(10, 509) n`,
    );
    await dispatch();
    expect(await swept.sql('SELECT FROM contact_batches WHERE id BETWEEN 10 AND 509')).toEqual([]);
  });

  test.each([
    ['a contact without a team', 'DELETE FROM contact_teams WHERE job = $1', [1, 0]],
    ['a team, projects and logs without a contact', 'DELETE FROM contacts WHERE job = $1', [0, 5]],
  ])('log %s as an error', async (_, statement, [without_team, without_contact]) => {
    const clean = await dispatch();
    expect(clean.filter((line) => line.includes('not whole'))).toEqual([]);
    const job = await added(swept, someContact());
    await endOf(swept, job);
    await swept.sql(statement, [job]);
    const lines = (await dispatch()).filter((line) => line.includes('not whole')).map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({
        level: 50,
        contacts_without_team: without_team,
        parts_without_contact: without_contact,
      }),
    ]);
    for (const table of ['contacts', 'contact_teams', 'contact_projects', 'contact_logs'])
      await swept.sql(`DELETE FROM ${table} WHERE job = $1`, [job]);
  });
});

test('the metrics count jobs by their state and their ends', async () => {
  const own = await ApiStage.open();
  try {
    const metric = async (name: string) => {
      const text = await (await fetch(`${own.url}/metrics`)).text();
      return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1]);
    };
    const ends = ['completed', 'conflict', 'refused_by_store'];
    const ended = () => Promise.all(ends.map((end) => metric(`disparo_contacts_ended_total{end="${end}"}`)));
    expect(await ended()).toEqual([0, 0, 0]);
    const user = someContact();
    await endOf(own, await added(own, user));
    for (const age of [1, 2]) await endOf(own, await added(own, { ...user, age }));
    await endOf(own, await added(own, user));
    await until(async () => expect(await ended()).toEqual([2, 2, 0]));
    expect(await metric('disparo_contacts_group_size_sum')).toBe(4);
    expect(await metric('disparo_contacts_flush_seconds_count')).toBe(4);
    const gauges = async () => [
      await metric('disparo_contacts_jobs{state="waiting"}'),
      await metric('disparo_contacts_jobs{state="active"}'),
      await metric('disparo_contacts_oldest_seconds{state="waiting"}'),
    ];
    await until(async () => expect(await gauges()).toEqual([0, 0, 0]));
    await own.sql(
      `INSERT INTO contact_batches (id, size, payload, accepted_at, started_at, not_before)
       VALUES (1, 7, $1, now() - interval '1 hour', now(), 'infinity')`,
      [Array(7).fill('{}').join('\n')],
    );
    await until(async () => expect((await gauges())[1]).toBe(7));
    expect(await metric('disparo_contacts_oldest_seconds{state="active"}')).toBeGreaterThanOrEqual(3_600);
  } finally {
    await own.close();
  }
});
