import { eventsQueue } from '@disparo/contract';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';
import { OwnSqs } from '../../testing/own-sqs.js';
import { Process, ROOT } from '../../testing/process.js';
import { TcpProxy } from '../../testing/proxy.js';
import type { Summary } from './producers/tally.js';
import producers from './producers.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(async () => {
  if (stage === undefined) return;
  const name = eventsQueue(stage.stores.env.QUEUE_PREFIX);
  await stage.kill();
  await stage.stores.channel.deleteQueue(name);
  await stage.stores.channel.deleteExchange(name);
  await stage.close();
});

/** Starts the command on the stores of the stage. */
function started(args: string[], env: Record<string, string> = {}): Process {
  const own = { ...process.env, ...stage.env, API_PORT: '', ...env };
  const command = [process.execPath, 'infra/local/run.mjs', 'producers', '--url', stage.url, ...args] as const;
  return stage.stores.with(new Process('producers', [...command], { env: own, cwd: ROOT }));
}

const ofType = (line: string) => line.startsWith('{"published"');

/** What it has confirmed, which is the one line of JSON. */
function summaryOf({ output }: Process): Summary {
  return JSON.parse(output.find(ofType) ?? '{}') as Summary;
}

async function ran(...args: string[]): Promise<[number | null, Summary, string]> {
  const process = started(args);
  const code = await process.exit(100_000);
  return [code, summaryOf(process), process.everything];
}

/** Counts of a run, by its id, in the two tables. */
async function storedOf(everything: string): Promise<{ events: number; bad: number; own: number }> {
  const run = /run ([0-9a-f]{12})/.exec(everything)?.[1] ?? 'no run';
  const [counts] = await stage.sql<{ events: number; bad: number; own: number }>(
    `SELECT (SELECT count(*)::int FROM events WHERE starts_with(dedupe_key, $1)) AS events,
            (SELECT count(*)::int FROM event_quarantine WHERE starts_with(dedupe_key, $2) AND reason = 'invalid_envelope') AS bad,
            (SELECT count(*)::int FROM event_quarantine WHERE starts_with(dedupe_key, $1)) AS own`,
    [`p:${run}-`, `b:${run}-`],
  );
  return counts ?? { events: -1, bad: -1, own: -1 };
}

const SHARES = ['--bad', '0.11', '--duplicate', '0.05', '--check'];

test('over RabbitMQ every event is a row and every bad one is in quarantine, checked: exit 0', async () => {
  const [code, summary, everything] = await ran('--rate', '5000', '--count', '2000', '--seed', '3', ...SHARES);
  const { published, distinct, bad, duplicates } = summary;
  expect([code, everything]).toEqual([0, expect.stringMatching(/events, each once and as it was sent/)]);
  expect([published, distinct + bad + duplicates, bad > 100, duplicates > 20]).toEqual([2_000, 2_000, true, true]);
  expect(await storedOf(everything)).toEqual({ events: distinct, bad, own: 0 });
});

test('over HTTP events are stored, a bad message is refused and not quarantined: exit 0', async () => {
  const [code, summary, everything] = await ran('--http', '--rate', '5000', '--count', '1000', ...SHARES);
  const { published, distinct, bad } = summary;
  expect([code, published, bad > 50]).toEqual([0, 1_000, true]);
  expect(everything).toMatch(/bad ones refused/);
  expect(await storedOf(everything)).toEqual({ events: distinct, bad: 0, own: 0 });
});

test('over SQS every event is a row and every bad one is in quarantine, under the id of its message: exit 0', async () => {
  const sqs = await OwnSqs.open();
  try {
    const processor = stage.script('processor', [], sqs.env);
    const running = started(['--sqs', '--rate', '5000', '--count', '1000', ...SHARES], sqs.env);
    const code = await running.exit(100_000);
    const { published, distinct, bad } = summaryOf(running);
    expect([code, running.everything]).toEqual([0, expect.stringMatching(/bad ones in quarantine/)]);
    expect([published, bad > 50, (await storedOf(running.everything)).events]).toEqual([1_000, true, distinct]);
    expect(await sqs.counts()).toEqual({ ready: 0, hidden: 0 });
    expect(await processor.stop()).toBe(0);
  } finally {
    await sqs.close();
  }
});

test('bad messages that SQS has twice because its answer was lost are no difference: exit 0', async () => {
  const sqs = await OwnSqs.open();
  const losing = await sqs.losingAnswers(5);
  const quarantined = async () => (await stage.sql('SELECT id FROM event_quarantine')).length;
  const before = await quarantined();
  try {
    const processor = stage.script('processor', [], sqs.env);
    const running = started(['--sqs', '--rate', '5000', '--count', '300', '--bad', '0.5', '--check'], {
      ...sqs.env,
      SQS_ENDPOINT: losing.url,
    });
    const code = await running.exit(100_000);
    const { published, bad } = summaryOf(running);
    expect([code, published, running.everything]).toEqual([0, 300, expect.stringMatching(/bad ones in quarantine/)]);
    expect((await quarantined()) - before).toBeGreaterThan(bad);
    expect(await processor.stop()).toBe(0);
  } finally {
    await losing.close();
    await sqs.close();
  }
});

test('a second run takes the company, clients and types of the first', async () => {
  const [code, , everything] = await ran('user-app', '--rate', '5000', '--count', '10');
  expect([code, everything]).toEqual([0, expect.not.stringContaining('Registered')]);
  const [rows] = await stage.sql(`SELECT (SELECT count(*)::int FROM companies) AS companies,
    (SELECT count(*)::int FROM event_clients) AS clients, (SELECT count(*)::int FROM event_types) AS types`);
  expect(rows).toEqual({ companies: 1, clients: 3, types: 3 });
});

test('rows that are missing, changed or of another reason are told: exit 1', async () => {
  const running = started(['--rate', '400', '--count', '1200', '--seed', '4', ...SHARES]);
  const one = (sql: string) =>
    stage.until(async () => (await stage.sql(sql)).length > 0, 'a row of the run is there to be changed', 30_000);
  await stage.until(() => running.output.some((line) => line.startsWith('confirmed')), 'it publishes');
  const run = /run ([0-9a-f]{12})/.exec(running.everything)?.[1];
  const first = (table: string, key: string) =>
    `(SELECT min(id) FROM ${table} WHERE starts_with(dedupe_key, '${key}:${run}-'))`;
  await one(`DELETE FROM events WHERE id = ${first('events', 'p')} RETURNING id`);
  await one(`UPDATE events SET message = '{}' WHERE id = ${first('events', 'p')} RETURNING id`);
  await one(`DELETE FROM event_quarantine WHERE id = ${first('event_quarantine', 'b')} RETURNING id`);
  await one(
    `UPDATE event_quarantine SET reason = 'missing_tenant' WHERE id = ${first('event_quarantine', 'b')} RETURNING id`,
  );
  expect([await running.exit(100_000), running.everything]).toEqual([1, expect.any(String)]);
  const key = `${run}-\\d+`;
  expect(running.everything).toMatch(new RegExp(`^1 not among the events, though confirmed: p:${key}$`, 'm'));
  expect(running.everything).toMatch(new RegExp(`^1 another company, type or message than was sent: p:${key}$`, 'm'));
  expect(running.everything).toMatch(new RegExp(`^1 bad, confirmed and not in quarantine: b:${key}$`, 'm'));
  expect(running.everything).toMatch(
    new RegExp(`^1 bad, and in quarantine with another reason or other bytes: b:${key}$`, 'm'),
  );
});

test('rows that are too many are told: exit 1', async () => {
  const running = started(['--rate', '400', '--count', '800', '--bad', '0.11', '--check']);
  await stage.until(() => running.output.some((line) => line.startsWith('confirmed')), 'it publishes');
  const run = /run ([0-9a-f]{12})/.exec(running.everything)?.[1];
  await stage.sql(
    `INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message)
     SELECT company_id, client_id, type_id, $1, content, message FROM events LIMIT 1`,
    [`p:${run}-once-more`],
  );
  await stage.sql(
    `INSERT INTO event_quarantine (reason, dedupe_key, source_key, body) VALUES ('invalid_envelope', $1, $1, ''), ('invalid_payload', $2, $2, '')`,
    [`b:${run}-once-more`, `p:${run}-refused`],
  );
  expect(await running.exit(100_000)).toBe(1);
  expect(running.everything).toMatch(/^1 more events than were sent$/m);
  expect(running.everything).toMatch(/^1 more in quarantine than were sent$/m);
  expect(running.everything).toMatch(/^1 events are in quarantine: invalid_payload$/m);
});

test('a processor that is killed in the middle changes nothing of the outcome', async () => {
  const processor = stage.script('processor', [], { EVENTS_PREFETCH: '50' });
  await processor.untilSaid('receiving events');
  const running = started(['--rate', '1000', '--count', '3000', ...SHARES]);
  await processor.untilSaid('events settled');
  await processor.kill();
  expect([await running.exit(100_000), summaryOf(running).published]).toEqual([0, 3_000]);
});

test('what was not confirmed when the broker went away is sent again under the same ids', async () => {
  const proxy = await TcpProxy.openTo(stage.env.RABBITMQ_URL, 5_672);
  try {
    const running = started(['--rate', '1000', '--count', '3000', ...SHARES], { RABBITMQ_URL: proxy.url });
    await stage.until(() => running.output.some((line) => line.startsWith('confirmed')), 'it publishes');
    // The broker gets what is sent from here on, or not, and nobody hears of its confirms.
    proxy.hold();
    await stage.until(() => proxy.swallowed > 0, 'something is on its way');
    await proxy.close();
    await stage.until(() => running.output.some((line) => line.startsWith('waiting for RabbitMQ')), 'it waits');
    await proxy.open();
    expect([await running.exit(100_000), summaryOf(running).published]).toEqual([0, 3_000]);
    expect(running.output).toContain('RabbitMQ is back');
  } finally {
    await proxy.close();
  }
});

test('the first Ctrl-C ends the publishing, and what was confirmed is told and checked', async () => {
  const running = started(['--rate', '500', ...SHARES]);
  await stage.until(() => running.output.filter((line) => line.startsWith('confirmed')).length > 1, 'it publishes');
  running.signal('SIGINT');
  expect([await running.exit(100_000), running.everything]).toEqual([
    0,
    expect.stringMatching(/each once and as it was sent/),
  ]);
  expect(await storedOf(running.everything)).toMatchObject({ events: summaryOf(running).distinct });
});

test('clients of another company are told in clear words: exit 78', async () => {
  const other = await ApiStage.open();
  try {
    const user = await other.user();
    const { id: company_id } = await other.company(user);
    await other.api('POST', '/api/events/clients', { token: user.token, body: { client_id: 'client-2', company_id } });
    const running = started(['--count', '1', '--url', other.url]);
    expect([await running.exit(), running.everything]).toEqual([
      78,
      expect.stringMatching(/^client-2 belongs to another company of this database: /m),
    ]);
  } finally {
    await other.close();
  }
});

test('no API: one line, which says how to start one, and exit 78', async () => {
  const running = started(['--url', '127.0.0.1:9']);
  expect([await running.exit(), running.everything]).toEqual([
    78,
    'Nothing answers at http://127.0.0.1:9: start the API with npm start in another terminal, or give its address: npm run producers -- --url http://host:port\n',
  ]);
});

test.each([[['no-such-app']], [['user-app', 'user-app']], [['--http', '--sqs']], [['--nothing']]])(
  '%j is refused with the usage',
  async (args) => {
    await expect(producers(args)).rejects.toThrow(/^usage: npm run producers -- [^\n]*$/);
  },
);

test.each([
  [['--rate', '0'], '--rate must be a number over 0 and at most 1,000,000, and not "0"'],
  [['--bad', '1.1'], '--bad must be a number from 0 to 1, and not "1.1"'],
  [['--bad', '0.5', '--duplicate', '0.6'], '--duplicate must be a number from 0 to 0.5, and not "0.6"'],
  [['--count', '1e3'], '--count must be a whole number from 1 to 100,000,000, and not "1e3"'],
  [['--seed', 'x'], '--seed must be a whole number from 0 to 2,147,483,647, and not "x"'],
])('%j is refused by name', async (args, sentence) => {
  await expect(producers(args)).rejects.toThrow(sentence);
});
