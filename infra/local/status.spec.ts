import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accepted, someNumbers, untilStatus } from '../../functions/test/campaigns/fixtures.js';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';

const COMMAND = ['infra/local/run.mjs', 'status'];
const ESCAPE = '\x1b';
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
/** Whether there is `script` of util-linux, which runs a command on a terminal of its own. */
const hasScript = spawnSync('script', ['--version']).status === 0;

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { QUEUE_PARTITIONS: '2' } });
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(() => stage?.close());

/** Starts the command on the stores of the stage. `printed` returns what it has printed so far. */
function started(
  args: string[] = [],
  env: Record<string, string> = {},
): { child: ChildProcess; printed: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [...COMMAND, ...args], { env: { ...process.env, ...stage.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return { child, printed: () => output, ended: once(child, 'close').then(([code]) => code as number | null) };
}

async function ran(args: string[] = [], env: Record<string, string> = {}): Promise<[number | null, string]> {
  const { printed, ended } = started(args, env);
  return [await ended, printed()];
}

/** The rows of the tables, as lists of cells. */
function cells(output: string): string[][] {
  const rows = output.split('\n').filter((line) => line.startsWith('│'));
  return rows.map((line) =>
    line
      .split('│')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test('one screen tells what is up, what waits for whom, and how far the campaigns are', async () => {
  const first = await accepted(stage, ana, company, someNumbers(5));
  const [row] = await stage.sql<{ partition: number }>('SELECT partition FROM campaigns WHERE id = $1', [first.id]);
  const consumer = stage.consumer({ CONSUMER_PARTITIONS: String(row?.partition) });
  try {
    await untilStatus(stage, ana, first.id, 'enviado');
    const { id } = await accepted(stage, ana, company, someNumbers(1_000));
    await stage.api('POST', `/api/campaigns/${id}/cancel`, { token: ana.token });
    await stage.sql("UPDATE campaigns SET created_at = created_at - interval '2 hours' WHERE id = $1", [first.id]);

    const [code, output] = await ran();
    expect([code, output.includes(ESCAPE)]).toEqual([0, false]);
    expect(cells(output)).toEqual([
      ['service', 'is', 'reason'],
      ...['PostgreSQL', 'MongoDB', 'RabbitMQ'].map((title) => [title, 'up', '']),
      ['queue', 'ready', 'consumers'],
      ...[0, 1].map((partition) => [
        `${stage.env.QUEUE_PREFIX}.campaigns.${partition}`,
        expect.stringMatching(/^\d+$/),
        partition === row?.partition ? '1' : '0',
      ]),
      ['id', 'status', 'progress', 'stored', 'total', 'age'],
      [
        id,
        expect.stringMatching(/cancelado|enviado/),
        expect.any(String),
        expect.any(String),
        '1,000',
        expect.stringMatching(/ s$/),
      ],
      [first.id, 'enviado', `${'█'.repeat(20)} 100%`, '5', '5', '2 h'],
    ]);
    expect(output).toContain('No dead letters');
  } finally {
    await consumer.kill();
  }
});

test('dead letters are told with the command that lists them', async () => {
  const connection = await connect(stage.env.RABBITMQ_URL);
  try {
    const channel = await connection.createConfirmChannel();
    channel.publish(`${stage.env.QUEUE_PREFIX}.dead`, '', Buffer.from('x'));
    await channel.waitForConfirms();
    expect(await ran()).toEqual([0, expect.stringContaining('1 dead letter: npm run dead-letters -- list')]);
    await channel.purgeQueue(`${stage.env.QUEUE_PREFIX}.dead`);
  } finally {
    await connection.close();
  }
});

test('a service that is down shows its reason, no password, and hides no other service', async () => {
  const wrong = Object.assign(new URL(stage.env.DATABASE_URL), { password: 'secret-but-wrong' }).href;
  const [code, output] = await ran([], { DATABASE_URL: wrong, MONGODB_URL: 'mongodb://127.0.0.1:9' });
  expect(code).toBe(1);
  expect(cells(output).slice(0, 4)).toEqual([
    ['service', 'is', 'reason'],
    ['PostgreSQL', 'down', 'DATABASE_URL: the user or the password is wrong'],
    ['MongoDB', 'down', 'nothing listens at 127.0.0.1:9'],
    ['RabbitMQ', 'up', ''],
  ]);
  expect(output).toContain('not known: PostgreSQL is down');
  expect(output).not.toContain('secret');
});

test('a service that takes a connection and stays silent is down after two seconds', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const at = `127.0.0.1:${port}`;
  try {
    const urls = {
      DATABASE_URL: `postgresql://a:b@${at}/x`,
      MONGODB_URL: `mongodb://${at}`,
      RABBITMQ_URL: `amqp://${at}`,
    };
    const [code, output] = await ran([], urls);
    expect([code, cells(output).slice(1, 4)]).toEqual([
      1,
      ['PostgreSQL', 'MongoDB', 'RabbitMQ'].map((title) => [title, 'down', `no answer from ${at}`]),
    ]);
  } finally {
    silent.close();
  }
});

test('--watch without a terminal prints screen below screen until it is told to stop', async () => {
  const { child, printed, ended } = started(['--watch']);
  await stage.until(() => printed().split('Disparo  ').length > 2, 'two screens');
  child.kill('SIGINT');
  expect([await ended, printed().includes(ESCAPE)]).toEqual([0, false]);
});

test.skipIf(!hasScript)('--watch gives the terminal back as it was at Ctrl-C', async () => {
  // Without exec the shell would get the Ctrl-C, too, and the exit code would be the shell's.
  const command = ['exec', process.execPath, ...COMMAND, '--watch'].join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...stage.env } });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const ended = once(child, 'close');
  await stage.until(() => output.split('Disparo').length > 2, 'it is drawn twice');
  child.stdin.write('\x03');
  const [code] = await ended;
  expect([code, output.startsWith(ENTER), output.trimEnd().endsWith(LEAVE)]).toEqual([0, true, true]);
});

test('a word that it does not know is refused', async () => {
  expect(await ran(['--wach'])).toEqual([78, 'usage: npm run status [-- --watch]\n']);
});
