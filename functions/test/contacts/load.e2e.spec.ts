import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { until } from '../../../testing/until.js';
import {
  added,
  endOf,
  holdProcessing,
  orphans,
  post,
  read,
  someContact,
  someContacts,
  untilWorkerWaits,
  WORDS,
} from './fixtures.js';

const CALLERS_LIMIT = 5_000;
const MIB = 2 ** 20;
const TIMEOUT_MS = 120_000;
const busy = {
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  detail: expect.any(String),
  code: 'CONTACT.BUSY',
  message: WORDS.notTaken,
};

let stage: ApiStage;
let closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
}, TIMEOUT_MS);

async function open(env: Record<string, string>): Promise<void> {
  stage = await ApiStage.open({ env });
  closing.push(() => stage.close());
}

async function hold(): Promise<{ release(): Promise<void> }> {
  const held = await holdProcessing(stage);
  closing.push(() => held.release());
  return held;
}

describe('over CONTACTS_MAX_WAITING', () => {
  test('a caller is refused for a while; jobs can be asked for; it opens again', async () => {
    await open({ CONTACTS_MAX_WAITING: '5' });
    const held = await hold();
    const jobs = [await added(stage, someContact())];
    await untilWorkerWaits(stage);
    for (const user of someContacts(4)) jobs.push(await added(stage, user));
    const { status, headers, body } = await post(stage, someContact());
    expect([status, body]).toEqual([503, busy]);
    expect(headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/);
    expect((await read(stage, jobs[0] ?? '')).body.status).toBe('active');
    expect((await read(stage, jobs[4] ?? '', '?wait=1')).body.status).toBe('waiting');
    expect((await stage.api('GET', '/api/user/jobs/stats')).status).toBe(200);
    await held.release();
    await until(async () => expect((await post(stage, someContact())).status).toBe(202));
    expect(await Promise.all(jobs.map((job) => endOf(stage, job)))).toEqual(Array(5).fill('completed'));
  });

  test.each([
    ['the first that come', 0],
    ['later ones', 1],
  ])('one burst does not pass it: %s', async (_, before) => {
    await open({ CONTACTS_MAX_WAITING: '20' });
    await hold();
    for (const user of someContacts(before)) await added(stage, user);
    const answers = await Promise.all(someContacts(300).map((user) => post(stage, user)));
    const statuses = answers.map(({ status }) => status);
    const [row] = await stage.sql('SELECT sum(size)::int AS jobs FROM contact_batches');
    const taken = statuses.filter((status) => status === 202).length;
    expect(row).toEqual({ jobs: taken + before });
    expect(statuses.filter((status) => status === 503).length).toBe(300 - taken);
    expect(taken + before).toBeLessThanOrEqual(20);
    expect(taken).toBeGreaterThan(0);
  });
});

/** The memory of the process of the stage, in bytes. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${stage.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** Sends a user on a socket of its own, and calls `hear` with the answer. */
function send(
  agent: Agent,
  body: object,
  hear: (status: number, retryAfter: string | undefined, body: string) => void,
) {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const sent = request(`${stage.url}/api/user`, { method: 'POST', agent, headers }, (response) => {
    let all = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      all += piece;
    });
    response.on('end', () => hear(response.statusCode ?? 0, response.headers['retry-after'], all));
  });
  sent.on('error', (error) => hear(0, undefined, error.message));
  sent.end(text);
}

test.each([
  ['before anything is known', false],
  ['in the middle of the work', true],
])(
  'the 5,001st caller is refused while PostgreSQL is silent, and everyone is answered: %s',
  async (_, warm) => {
    stage = await ApiStage.open({ start: false });
    closing.push(() => stage.close());
    const postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
    closing.push(() => postgres.close());
    await stage.start({ env: { DATABASE_URL: postgres.url } });
    if (warm) await endOf(stage, await added(stage, someContact()));
    const agent = new Agent({ keepAlive: false });
    closing.push(() => agent.destroy());
    const before = residentBytes();
    postgres.hold();
    const answers: { status: number; retryAfter: string | undefined; body: string }[] = [];
    const users = someContacts(CALLERS_LIMIT + 1_000);
    for (const user of users)
      send(agent, user, (status, retryAfter, body) => answers.push({ status, retryAfter, body }));
    await until(() => expect(answers.length).toBeGreaterThanOrEqual(1_000));
    for (const { status, retryAfter, body } of answers.slice(0, 1_000)) {
      expect([status, JSON.parse(body)]).toEqual([503, busy]);
      expect(retryAfter).toBe('1');
    }
    expect(residentBytes() - before).toBeLessThan(400 * MIB);
    await postgres.open();
    await until(() => expect(answers.length).toBe(users.length), { withinMs: TIMEOUT_MS / 2 });
    const rest = answers.slice(1_000);
    const jobs = rest
      .filter(({ status }) => status === 202)
      .map(({ body }) => (JSON.parse(body) as { job: string }).job);
    expect(new Set(rest.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(jobs).size).toBe(CALLERS_LIMIT);
    await until(async () => {
      const [row] = await stage.sql('SELECT count(*)::int AS stored FROM contacts WHERE name <> $1', [
        'Ana Maria Souza',
      ]);
      expect(row).toEqual({ stored: CALLERS_LIMIT });
    });
    expect(await orphans(stage)).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'lines over 64 MiB are refused, too',
  async () => {
    stage = await ApiStage.open({ start: false });
    closing.push(() => stage.close());
    const postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
    closing.push(() => postgres.close());
    await stage.start({ env: { DATABASE_URL: postgres.url } });
    await endOf(stage, await added(stage, someContact()));
    postgres.hold();
    // 200 units of three bytes each in 100 projects, and 1,000 logs: over 100 KiB a line.
    const name = '€'.repeat(200);
    const large = () =>
      someContact({
        team: { name, leader: true, projects: Array.from({ length: 100 }, () => ({ name, completed: true })) },
        logs: Array.from({ length: 1_000 }, () => ({ date: '2025-01-01', action: 'login' as const })),
      });
    const bytes = Buffer.byteLength(JSON.stringify(large()));
    const fit = Math.floor((64 * MIB) / bytes);
    const answers: number[] = [];
    const agent = new Agent({ keepAlive: false });
    closing.push(() => agent.destroy());
    for (let at = 0; at < fit + 50; at++) send(agent, large(), (status) => answers.push(status));
    await until(() => expect(answers).toEqual(Array(50).fill(503)));
    await postgres.open();
    await until(() => expect(answers.length).toBe(fit + 50), { withinMs: TIMEOUT_MS / 2 });
    expect(answers.slice(50)).toEqual(Array(fit).fill(202));
  },
  TIMEOUT_MS,
);
