import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readEnvironment, topology } from '@disparo/contract';
import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import { randomFrom } from '../../../testing/random.js';
import { accepted, as, campaign, PATIENCE_MS, someNumbers, storedNumbers, untilStatus } from './fixtures.js';

const TOTAL = 20_000;
const NUMBERS = someNumbers(TOTAL);
const TURNS = 20;
/** To repeat a run with the same moments: STEERING_SEED=<the one printed>. */
const SEED = Number(readEnvironment().STEERING_SEED ?? randomInt(2 ** 31));

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let consumer: Process;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterEach(() => consumer.kill());

afterAll(() => stage?.close());

/** A campaign in the middle of its drain, by a consumer with small batches. */
async function underway(): Promise<string> {
  const { id } = await accepted(stage, ana, company, NUMBERS);
  consumer = stage.consumer({ PREFETCH: '4' });
  await stage.until(async () => (await documents(id)) > 0, 'the first documents are there');
  return id;
}

function documents(id: string, deleted?: boolean): Promise<number> {
  const filter = deleted === undefined ? {} : { deleted };
  return stage.mongo.collection('messages').countDocuments({ campaign_id: id, ...filter });
}

async function steer(id: string, command: string): Promise<string> {
  const { status, body } = await as(stage, ana)('POST', `/api/campaigns/${id}/${command}`);
  expect([command, status]).toEqual([command, 200]);
  return String(body.status);
}

async function untilQueueIsEmpty(): Promise<void> {
  const connection = await connect(stage.env.RABBITMQ_URL);
  const channel = await connection.createChannel();
  const { queue } = topology(stage.env.QUEUE_PREFIX, 1);
  await stage.until(
    async () => (await channel.checkQueue(queue(0))).messageCount === 0,
    'the queue is empty',
    PATIENCE_MS,
  );
  await connection.close();
}

// It pauses and resumes at random moments, which the seed repeats.
test(
  `paused and resumed ${TURNS} times, it stores each number once, in order (seed ${SEED})`,
  async () => {
    const random = randomFrom(SEED);
    const id = await underway();
    let turns = 0;
    for (; turns < TURNS; turns++) {
      await delay(random() * 60);
      // Paused too late: all is sent, and the answer says so. The run ends here.
      const status = await as(stage, ana)('POST', `/api/campaigns/${id}/pause`);
      if (status.status === 409 || status.body.status === 'enviado') break;
      expect(status.body.status).toBe('pausado');
      await delay(random() * 60);
      await steer(id, 'resume');
    }
    expect(turns, 'most turns were in the middle of the drain').toBeGreaterThan(5);
    expect(await untilStatus(stage, ana, id, 'enviado')).toMatchObject({
      total: TOTAL,
      published: TOTAL,
      stored: TOTAL,
    });
    await untilQueueIsEmpty();
    expect(await storedNumbers(stage, id)).toEqual(NUMBERS);
    expect(await documents(id)).toBe(TOTAL);
  },
  3 * PATIENCE_MS,
);

test('a second after a pause nothing is stored any more, though the queue is full', async () => {
  const id = await underway();
  expect(await steer(id, 'pause')).toBe('pausado');
  const paused = Date.now();
  await untilQueueIsEmpty();
  const [last] = await stage.mongo
    .collection('messages')
    .find({ campaign_id: id })
    .sort({ created_at: -1 })
    .limit(1)
    .toArray();
  expect(Number(last?.created_at) - paused).toBeLessThan(1_000);
  const { stored, status } = await campaign(stage, ana, id);
  expect([status, stored < TOTAL, stored]).toEqual(['pausado', true, await documents(id)]);
  await steer(id, 'cancel');
});

test('a cancel in the middle of a drain ends it, and what was stored is what is counted', async () => {
  const id = await underway();
  expect(await steer(id, 'cancel')).toBe('cancelado');
  await untilQueueIsEmpty();
  const { stored, status } = await campaign(stage, ana, id);
  expect([status, stored < TOTAL, stored]).toEqual(['cancelado', true, await documents(id)]);
});

test('a delete in the middle of a drain leaves no document that is not deleted', async () => {
  const id = await underway();
  expect((await as(stage, ana)('DELETE', `/api/campaigns/${id}`)).status).toBe(204);
  await untilQueueIsEmpty();
  await stage.until(async () => (await documents(id, false)) === 0, 'every document is marked');
  expect(await documents(id, true)).toBeGreaterThan(0);
});
