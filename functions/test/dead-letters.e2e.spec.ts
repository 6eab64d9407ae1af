import { type Chunk, chunkMessage, type Topology, topology } from '@disparo/contract';
import { type ConfirmChannel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import type { Process } from '../../testing/process.js';
import { TcpProxy } from '../../testing/proxy.js';
import command from '../commands/dead-letters.js';
import { accepted, ran, someNumbers, started, storedNumbers, untilStatus } from './campaigns/fixtures.js';

const NUMBERS = someNumbers(3);
/** Enough to take seconds. */
const MANY = 3_000;
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let names: Topology;
let channel: ConfirmChannel;
let close: () => Promise<void>;
let consumer: Process;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { CAMPAIGN_QUEUE_SLOTS: '1' } });
  ana = await stage.user();
  company = await stage.company(ana);
  names = topology(stage.env.QUEUE_PREFIX, 1);
  const connection = await connect(stage.env.RABBITMQ_URL);
  channel = await connection.createConfirmChannel();
  close = () => connection.close();
});

beforeEach(async () => {
  await channel.purgeQueue(names.deadLetterQueue);
  await channel.purgeQueue(names.queue(0));
  consumer = stage.consumer();
});

afterEach(() => consumer.kill());

afterAll(async () => {
  await close?.();
  await stage?.close();
});

/** The command's exit code, and what it prints. */
const deadLetters = (...args: string[]) => ran(stage, 'dead-letters', args);

/** Publishes to the campaigns' queue, and waits until there are `count` dead letters. */
async function dies(count: number, ...bodies: (Buffer | Chunk)[]): Promise<void> {
  for (const body of bodies) {
    const { content, properties } = Buffer.isBuffer(body)
      ? { content: body, properties: {} }
      : chunkMessage(body, TRACE);
    channel.publish(names.exchange, names.routingKey(0), content, { persistent: true, ...properties });
  }
  await channel.waitForConfirms();
  await stage.until(async () => (await dead()) === count, `${count} dead letters`);
}

async function dead(): Promise<number> {
  return (await channel.checkQueue(names.deadLetterQueue)).messageCount;
}

/** Turns an accepted and stored campaign into one that is neither stored by the ledger nor in the queue. */
async function unstored(): Promise<Chunk> {
  const { id } = await accepted(stage, ana, company, NUMBERS);
  await untilStatus(stage, ana, id, 'enviado');
  await stage.mongo.collection('messages').deleteMany({ campaign_id: id });
  await stage.sql('UPDATE campaigns SET stored = 0 WHERE id = $1', [id]);
  await stage.sql('UPDATE campaign_chunks SET stored_at = NULL WHERE campaign_id = $1', [id]);
  return {
    campaign_id: id,
    company_id: company.id,
    message: 'Hoje tudo pela metade.',
    first_sequence: 1,
    phone_numbers: NUMBERS,
  };
}

const stranger = (campaign_id: string): Chunk => ({
  campaign_id,
  company_id: 'ccompany',
  message: 'Oi',
  first_sequence: 1,
  phone_numbers: NUMBERS,
});

test('an empty queue says so', async () => {
  expect(await deadLetters('list')).toEqual([0, 'There is no dead letter\n']);
  expect(await deadLetters('show', '1')).toEqual([78, 'There is no dead letter 1\n']);
  expect(await deadLetters('show', '501')).toEqual([78, 'N goes up to 500: replay or drop older ones first\n']);
});

test('list names reason, campaign and age, and leaves every dead letter at its place', async () => {
  await dies(2, Buffer.from('{'), stranger('cstranger'));
  const [code, output] = await deadLetters('list');
  expect([
    code,
    output
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/).slice(0, 4)),
  ]).toEqual([
    0,
    [
      ['N', 'reason', 'campaign', 'published'],
      ['1', 'not_json', '-', '-'],
      ['2', 'unknown_campaign', 'cstranger', expect.stringMatching(/^\d+ s ago$/)],
    ],
  ]);
  const [, again] = await deadLetters('list');
  const timeless = (table: string) => table.replaceAll(/\d+ s ago| +/g, '');
  expect(timeless(again)).toBe(timeless(output));
  expect(await dead()).toBe(2);
});

test('show prints a dead letter whole, without control characters', async () => {
  await dies(1, Buffer.from('{"a":"\u001b[2Jx"'));
  const [code, output] = await deadLetters('show', '1');
  expect([code, output]).toEqual([0, expect.stringContaining('"reason": "not_json"')]);
  expect(output).toContain('{"a":"\ufffd[2Jx"');
  expect(await dead()).toBe(1);
});

test('a replayed dead letter is stored once, however often it is replayed', async () => {
  const chunk = await unstored();
  const { campaign_id: id } = chunk;
  await stage.sql('ALTER TABLE campaign_chunks RENAME TO hidden');
  await stage.sql('CREATE TABLE campaign_chunks (LIKE hidden)');
  await dies(2, chunk, chunk);
  await stage.sql('DROP TABLE campaign_chunks');
  await stage.sql('ALTER TABLE hidden RENAME TO campaign_chunks');
  expect(await deadLetters('replay')).toEqual([0, '2 sent again\n']);
  await untilStatus(stage, ana, id, 'enviado');
  await stage.until(async () => (await channel.checkQueue(names.queue(0))).messageCount === 0, 'the queue is empty');
  expect(await storedNumbers(stage, id)).toEqual(NUMBERS);
  expect(await dead()).toBe(0);
  expect(await deadLetters('replay')).toEqual([0, '0 sent again\n']);
});

test('replay and drop take the dead letter that is named and no other', async () => {
  await dies(3, stranger('cone'), stranger('ctwo'), stranger('cthree'));
  expect(await deadLetters('drop', '2')).toEqual([0, '1 dropped\n']);
  expect(await campaigns()).toEqual(['cone', 'cthree']);
  await consumer.kill();
  expect(await deadLetters('replay', '1')).toEqual([0, '1 sent again\n']);
  expect(await campaigns()).toEqual(['cthree']);
  const sent = (await channel.get(names.queue(0), { noAck: true })) || undefined;
  expect(sent?.properties.headers).toEqual({ traceparent: TRACE });
  expect(await deadLetters('drop', '--all')).toEqual([0, '1 dropped\n']);
  expect(await dead()).toBe(0);
});

test.each([{ args: [] }, { args: ['drop'] }])('nothing is dropped unasked: $args is refused', async ({ args }) => {
  await die(2, 'elsewhere');
  expect(await deadLetters(...args)).toEqual([78, `usage: ${command.usage}\n`]);
  expect(await dead()).toBe(2);
});

test('a dead letter of another queue stays, and is named', async () => {
  channel.publish(names.deadLetterExchange, '', Buffer.from('x'), { headers: { source_queue: 'elsewhere' } });
  await channel.waitForConfirms();
  expect(await deadLetters('replay')).toEqual([
    75,
    '0 sent again\n1 stays: it came from elsewhere, which is not a queue here\n',
  ]);
  expect(await dead()).toBe(1);
});

test('list and replay say what they did not reach: 500 dead letters are held at most', async () => {
  await die(501, 'elsewhere');
  const [code, table] = await deadLetters('list');
  expect([code, table.trimEnd().split('\n').at(-1)]).toEqual([0, 'The oldest 500 of 501']);
  await stage.until(async () => (await dead()) === 501, 'they are at their places again');
  const [replayed, output] = await deadLetters('replay');
  const lines = output.trimEnd().split('\n');
  expect([replayed, lines[0], lines.length, lines.at(-1)]).toEqual([
    75,
    '0 sent again',
    502,
    '1 more were not looked at: the 500 that stay are before them',
  ]);
});

test.each([['replay'], ['drop', '--all']])(
  '%s ends between two dead letters at the first signal, and says how far it came',
  async (...args) => {
    const [command] = args;
    await consumer.kill();
    await die(MANY, names.queue(0));
    const { process, ended } = started(stage, 'dead-letters', args);
    await stage.until(begun, 'it has begun');
    process.signal('SIGINT');
    const [code, output] = await ended;
    const [done, left] = [...output.matchAll(/\d+/g)].map(Number);
    const word = command === 'replay' ? 'sent again' : 'dropped';
    expect([code, output]).toEqual([75, `${done} ${word}\n${left} more were not looked at: told to stop\n`]);
    expect([done, left]).toEqual([MANY - (await dead()), await dead()]);
    expect(await sentAgain()).toBe(command === 'replay' ? done : 0);
  },
);

test('a broker that falls silent during a replay is given up after ten seconds', async () => {
  await consumer.kill();
  await die(MANY, names.queue(0));
  const proxy = await TcpProxy.openTo(stage.env.RABBITMQ_URL, 5_672);
  const { ended } = started(stage, 'dead-letters', ['replay'], { RABBITMQ_URL: proxy.url });
  await stage.until(begun, 'it has begun');
  proxy.hold();
  expect(await ended).toEqual([75, 'RABBITMQ_URL: no answer within 10 s\n']);
  await proxy.close();
  expect((await dead()) + (await sentAgain())).toBeGreaterThanOrEqual(MANY);
});

/** Makes dead letters that came from a queue. */
async function die(count: number, queue: string): Promise<void> {
  for (let letter = 0; letter < count; letter++)
    channel.publish(names.deadLetterExchange, '', Buffer.from('x'), { headers: { source_queue: queue } });
  await channel.waitForConfirms();
}

async function begun(): Promise<boolean> {
  const { messageCount } = await channel.checkQueue(names.deadLetterQueue);
  return messageCount < MANY;
}

async function sentAgain(): Promise<number> {
  return (await channel.checkQueue(names.queue(0))).messageCount;
}

async function campaigns(): Promise<(string | undefined)[]> {
  const [, output] = await deadLetters('list');
  return output
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/)[2]);
}
