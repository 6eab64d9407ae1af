import { topology } from '@disparo/contract';
import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { accepted, as, type CampaignBody, campaign, form, someNumbers, untilStatus, upload } from './fixtures.js';

const PARTITIONS = 4;

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let connection: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { QUEUE_PARTITIONS: String(PARTITIONS), CAMPAIGN_QUEUE_SLOTS: '3' } });
  ana = await stage.user();
  company = await stage.company(ana);
  connection = await connect(stage.env.RABBITMQ_URL);
  channel = await connection.createChannel();
});

afterAll(async () => {
  await connection?.close();
  await stage?.close();
});

function queueNames(): string[] {
  const { queue } = topology(stage.env.QUEUE_PREFIX, PARTITIONS);
  return Array.from({ length: PARTITIONS }, (_, partition) => queue(partition));
}

/** Takes all waiting messages, each with its queue. */
async function taken(): Promise<[queue: string, message: GetMessage][]> {
  const all: [string, GetMessage][] = [];
  for (const queue of queueNames())
    for (
      let message = await channel.get(queue, { noAck: true });
      message;
      message = await channel.get(queue, { noAck: true })
    )
      all.push([queue, message]);
  return all;
}

test('a campaign takes at most its slots, with consecutive chunks in one queue', async () => {
  await taken();
  const numbers = someNumbers(8);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { id } = await accepted(stage, ana, company, numbers, {
    headers: { traceparent },
    fields: { message: 'Olá 🎉' },
  });
  const messages = await taken();
  expect(new Set(messages.map(([queue]) => queue)).size).toBe(1);
  const inOrder = messages
    .map(([, message]) => message)
    .sort((a, b) => chunkOf(a).first_sequence - chunkOf(b).first_sequence);
  expect(inOrder.map(chunkOf)).toEqual(
    [1, 4, 7].map((first_sequence) => ({
      version: 1,
      campaign_id: id,
      company_id: company.id,
      message: 'Olá 🎉',
      first_sequence,
      phone_numbers: numbers.slice(first_sequence - 1, first_sequence + 2),
    })),
  );
  const properties = inOrder.map(({ properties: { contentType, deliveryMode, type, messageId, headers } }) => ({
    contentType,
    deliveryMode,
    type,
    messageId,
    headers,
  }));
  expect(properties).toEqual(
    [1, 4, 7].map((first) => ({
      contentType: 'application/json',
      deliveryMode: 2,
      type: 'campaign-chunk.v1',
      messageId: `${id}:${first}`,
      headers: { traceparent },
    })),
  );
});

test('no queue message holds more than 5,000 numbers, whatever the slots', async () => {
  await taken();
  await accepted(stage, ana, company, someNumbers(15_001));
  await stage.until(async () => (await ready()) === 4, 'four messages wait');
  const sizes = (await taken()).map(([, message]) => chunkOf(message).phone_numbers.length);
  expect(sizes.sort((a, b) => b - a)).toEqual([5_000, 5_000, 5_000, 1]);
});

test('a wrong or missing traceparent is replaced by a new one', async () => {
  await taken();
  const wrong = ['00-00000000000000000000000000000000-b7ad6b7169203331-01', 'x\'"', '01-a'];
  for (const traceparent of wrong) await accepted(stage, ana, company, ['11987654321'], { headers: { traceparent } });
  await accepted(stage, ana, company, ['11987654321']);
  const traces = (await taken()).map(([, { properties }]) => String(properties.headers?.traceparent));
  expect(traces).toEqual(Array(4).fill(expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)));
  expect(new Set(traces).size).toBe(4);
});

test('a message that finds no queue is owed, and goes into the queue declared again', async () => {
  for (const queue of queueNames()) await channel.deleteQueue(queue);
  const { id, status, published } = await accepted(stage, ana, company, someNumbers(3));
  expect([status, published]).toEqual(['pendente', 0]);
  expect(await untilStatus(stage, ana, id, 'enfileirado')).toMatchObject({ published: 3 });
  expect(await taken()).toHaveLength(3);
});

test('a company that is deleted while uploads arrive keeps no living campaign', async () => {
  const doomed = await stage.company(ana);
  const answers: Awaited<ReturnType<typeof upload>>[] = [];
  const uploadThrice = async (): Promise<void> => {
    for (let left = 3; left > 0; left--) answers.push(await upload(stage, ana, doomed, ['11987654321']));
  };
  const uploading = Promise.all([uploadThrice(), uploadThrice(), uploadThrice(), uploadThrice()]);
  await stage.until(() => answers.length > 0, 'the first upload is answered');
  const deleted = await as(stage, ana)('DELETE', `/api/companies/${doomed.id}`);
  await uploading;
  expect([deleted.status, answers.filter(({ status }) => ![201, 404].includes(status))]).toEqual([204, []]);
  // A company deleted before the commit is a 404. A campaign deleted between its commit and its answer is a 201 all the
  // same.
  const living = await stage.sql('SELECT id FROM campaigns WHERE company_id = $1 AND NOT deleted', [doomed.id]);
  expect(living).toEqual([]);
});

test('the answer of an upload is the campaign as its own route has it, and what the file came to', async () => {
  const { body } = await as(stage, ana)<CampaignBody>('POST', '/api/campaigns', {
    body: form([
      ['file', '11987654321\n'],
      ['company_id', company.id],
      ['message', 'm'],
      ['name', 'n'],
    ]),
  });
  const { file: _file, ...answered } = body;
  expect(answered).toEqual(await campaign(stage, ana, body.id));
});

interface ChunkBody {
  first_sequence: number;
  phone_numbers: string[];
}

function chunkOf(message: GetMessage): ChunkBody {
  return JSON.parse(message.content.toString()) as ChunkBody;
}

/** How many messages wait, over all partitions. */
async function ready(): Promise<number> {
  const counts = await Promise.all(queueNames().map((queue) => channel.checkQueue(queue)));
  return counts.reduce((sum, { messageCount }) => sum + messageCount, 0);
}
