import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { ContactsRepository } from '../../contacts/contacts.repository.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import {
  added,
  type ContactBody,
  endOf,
  orphans,
  post,
  rowsOf,
  someContact,
  someContacts,
  storedContacts,
} from './fixtures.js';

let stage: ApiStage;
/** Other processes on the same tables: their workers compete with those of the first. */
let others: ApiStage[] = [];

beforeAll(async () => {
  stage = await ApiStage.open();
  others = [await stage.beside()];
});

afterAll(async () => {
  for (const other of others) await other.kill();
  await stage?.close();
});

/** The statements of contacts on a connection of the test's own. */
function repositoryOn(databaseUrl: string): { repository: ContactsRepository; close(): Promise<void> } {
  const postgres = new Postgres({ databaseUrl } as Config);
  return { repository: new ContactsRepository(postgres), close: () => postgres.onApplicationShutdown() };
}

/** A text of the same content: keys in another order, blanks, the id in capitals, other ids that are dropped. */
function respelled({ id, name, age, score, active, country, team, logs }: ContactBody): string {
  const body = {
    logs: logs.map(({ action, date }) => ({ action, date, id: 77 })),
    team: {
      projects: team.projects.map(({ completed, name }) => ({ completed, name })),
      leader: team.leader,
      name: team.name,
      id: 78,
    },
    country,
    active,
    score,
    age,
    name,
    id: id.toUpperCase(),
  };
  return JSON.stringify(body, undefined, 3).replace(/"age": (\d+)/, '"age": $1.0');
}

test('the same content in another spelling is completed, and stored once', async () => {
  const contact = someContact();
  const job = await added(stage, contact);
  const { status, body } = await post(stage, respelled(contact));
  expect(status).toBe(202);
  expect(body.job).not.toBe(job);
  expect([await endOf(stage, job), await endOf(stage, String(body.job))]).toEqual(['completed', 'completed']);
  expect((await storedContacts(stage)).get(contact.id)).toEqual(rowsOf(contact));
  expect(await stage.sql('SELECT job FROM contacts WHERE id = $1', [contact.id])).toEqual([{ job }]);
});

const { logs, team } = someContact();
const changes: [what: string, change: Partial<ContactBody>][] = [
  ['name', { name: 'ana Maria Souza' }],
  ['name, a blank more', { name: 'Ana Maria Souza ' }],
  ['age', { age: 32 }],
  ['score', { score: 87.500_000_000_000_01 }],
  ['active', { active: false }],
  ['country', { country: 'Brazil' }],
  ['team', { team: { ...team, leader: true } }],
  ['order of the projects', { team: { ...team, projects: team.projects.toReversed() } }],
  ['order of the logs', { logs: logs.toReversed() }],
  ['one log less', { logs: logs.slice(1) }],
];

test.each(changes)('another %s is a conflict, and overwrites nothing', async (_, change) => {
  const contact = someContact();
  expect(await endOf(stage, await added(stage, contact))).toBe('completed');
  expect(await endOf(stage, await added(stage, { ...contact, ...change }))).toBe('failed conflict');
  expect((await storedContacts(stage)).get(contact.id)).toEqual(rowsOf(contact));
});

test('of several with one id in one transaction the lowest job wins', async () => {
  const users = someContacts(20);
  // The ages of a user are not in order, so that the order of jobs decides and not that of contents.
  const ages = [3, 1, 2];
  const payloads = ages.map((age) => users.map((user) => JSON.stringify({ ...user, age })).join('\n'));
  const batches = await stage.sql<{ id: string }>(
    `WITH block AS (SELECT nextval('contact_batch_blocks') AS first)
     INSERT INTO contact_batches (id, size, payload)
     SELECT first + at, 20, payload FROM block, unnest($1::text[]) WITH ORDINALITY AS given(payload, at) ORDER BY at DESC
     RETURNING id`,
    [payloads],
  );
  const ids = batches.map(({ id }) => Number(id)).toSorted((a, b) => a - b);
  const ends = await Promise.all(ids.map((id) => endOf(stage, String(id * 1_000 + 19))));
  expect(ends).toEqual(['completed', 'failed conflict', 'failed conflict']);
  const rows = await storedContacts(stage);
  expect(users.map(({ id }) => rows.get(id))).toEqual(users.map((user) => rowsOf({ ...user, age: 3 })));
});

test('hundreds at once with few ids: one content each, and every end agrees with it', async () => {
  const users = someContacts(8);
  const sent = Array.from({ length: 600 }, (_, at) => ({
    stage: [stage, ...others][at % 2] as ApiStage,
    body: { ...(users[at % users.length] as ContactBody), age: Math.floor(at / 100) },
  }));
  const ends = await Promise.all(
    sent.map(async ({ stage, body }) => ({ body, end: await endOf(stage, await added(stage, body)) })),
  );
  const rows = await storedContacts(stage);
  for (const { body, end } of ends) {
    const isStored = rows.get(body.id)?.age === body.age;
    expect(end).toBe(isStored ? 'completed' : 'failed conflict');
    if (isStored) expect(rows.get(body.id)).toEqual(rowsOf(body));
  }
  for (const { id } of users)
    expect(ends.filter(({ body, end }) => body.id === id && end === 'completed').length).toBeGreaterThan(0);
  expect(await orphans(stage)).toBe(0);
});

test('a batch whose id another process has got, too, is stored under an id of its own', async () => {
  const [other = await stage.beside()] = others;
  const add = async (server: ApiStage) => {
    const user = someContact();
    return { user, job: await added(server, user), server };
  };
  const stored = [await add(stage), await add(other)];
  // As when a standby is promoted, or a backup restored, that does not know of the last blocks.
  await stage.sql(`SELECT setval('contact_batch_blocks', (SELECT max(id) / 1000 * 1000 - 1000 FROM contact_batches))`);
  const third = await stage.beside();
  for (const server of [third, stage, other]) for (let at = 0; at < 3; at++) stored.push(await add(server));
  expect(new Set(stored.map(({ job }) => job)).size).toBe(stored.length);
  for (const { user, job, server } of stored) {
    expect(await endOf(server, job)).toBe('completed');
    expect(await stage.sql('SELECT name FROM contacts WHERE job = $1 AND id = $2', [job, user.id])).toHaveLength(1);
  }
  await third.kill();
});

test('a repeat knows its own batch, waiting or done, from a batch of others', async () => {
  const { repository, close } = repositoryOn(stage.env.DATABASE_URL);
  const blocker = await stage.stores.pool.connect();
  try {
    const line = () => JSON.stringify(someContact());
    const [own, others] = [
      [line(), line()],
      [line(), line()],
    ];
    const id = await repository.nextBlock();
    // Not `contacts`, which is asked, too.
    await blocker.query('BEGIN; LOCK TABLE contact_teams IN ACCESS EXCLUSIVE MODE');
    expect(await repository.accept(id, own)).toBe(true);
    expect(await repository.accept(id, others)).toBe(false);
    expect([await repository.holds(id, own), await repository.holds(id, others)]).toEqual([true, false]);
    await blocker.query('COMMIT');
    expect(await endOf(stage, String(id * 1_000n))).toBe('completed');
    expect([await repository.holds(id, own), await repository.holds(id, others)]).toEqual([true, false]);
    expect(await repository.holds(id + 1n, own)).toBe(false);
  } finally {
    blocker.release(true);
    await close();
  }
});

test('workers that meet in circles end all jobs the same way', async () => {
  const users = someContacts(60);
  const rounds = [users, users.toReversed(), users, users.toReversed()];
  const ends = await Promise.all(
    rounds.flatMap((round, at) => {
      const target = [stage, ...others][at % 2] as ApiStage;
      return round.map(async (user) => endOf(target, await added(target, user)));
    }),
  );
  expect(new Set(ends)).toEqual(new Set(['completed']));
  const rows = await storedContacts(stage);
  expect(users.map(({ id }) => rows.get(id))).toEqual(users.map(rowsOf));
});
