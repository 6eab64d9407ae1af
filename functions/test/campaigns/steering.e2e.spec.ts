import { topology } from '@disparo/contract';
import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import { accepted, as, campaign, refusal, someNumbers, storedNumbers, untilStatus } from './fixtures.js';

const NUMBERS = someNumbers(6);

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
/** Started by the tests that want messages stored; without it everything stays in the queue. */
let consumer: Process | undefined;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterEach(async () => {
  await consumer?.kill();
  consumer = undefined;
});

afterAll(() => stage?.close());

/** A campaign of six numbers in six queue messages, all published and none stored. */
async function queued(of: TestCompany = company): Promise<string> {
  const { id, status } = await accepted(stage, ana, of, NUMBERS);
  expect(status).toBe('enfileirado');
  return id;
}

/** Records chunks as stored, as a consumer does, without one. */
async function record(id: string, sequences: number[]): Promise<void> {
  await stage.sql('SELECT * FROM record_stored($1, $2)', [sequences.map(() => id), sequences]);
}

/** Steers. Returns the HTTP status, with the campaign's status and counters or with the code of the refusal. */
async function steer(id: string, command: string): Promise<unknown[]> {
  const answer = await as(stage, ana)('POST', `/api/campaigns/${id}/${command}`);
  if (answer.status !== 200) return refusal(answer);
  // The answer is the campaign as it stands; the publishing after it may already have gone on.
  expect(Object.keys(answer.body)).toEqual(Object.keys(await campaign(stage, ana, id)));
  return [200, answer.body.status, answer.body.published, answer.body.stored];
}

/** Messages that wait in the queue of the stage. */
async function inQueue(): Promise<number> {
  const connection = await connect(stage.env.RABBITMQ_URL);
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(topology(stage.env.QUEUE_PREFIX, 1).queue(0));
  await connection.close();
  return messageCount;
}

/** All of the campaign's documents, by whether they are marked. */
async function marks(id: string): Promise<boolean[]> {
  const documents = await stage.mongo.collection('messages').find({ campaign_id: id }).sort({ _id: 1 }).toArray();
  return documents.map(({ deleted }) => deleted as boolean);
}

const REFUSED = [409, 'CAMPAIGN.INVALID_TRANSITION'];

describe('the transition table', () => {
  test('a queued campaign is paused, resumed and cancelled; a second call changes nothing', async () => {
    const id = await queued();
    expect(await steer(id, 'resume')).toEqual([200, 'enfileirado', 6, 0]);
    expect(await steer(id, 'pause')).toEqual([200, 'pausado', 6, 0]);
    const paused = await campaign(stage, ana, id);
    expect(await steer(id, 'pause')).toEqual([200, 'pausado', 6, 0]);
    expect(await campaign(stage, ana, id)).toEqual(paused);
    expect(await steer(id, 'resume')).toEqual([200, 'enfileirado', 6, 0]);
    expect(await steer(id, 'resume')).toEqual([200, 'enfileirado', 6, 0]);
    expect(await steer(id, 'cancel')).toEqual([200, 'cancelado', 6, 0]);
    expect(await steer(id, 'cancel')).toEqual([200, 'cancelado', 6, 0]);
  });

  test('a cancelled campaign takes neither pause nor resume, and counts what was on its way', async () => {
    const id = await queued();
    await steer(id, 'cancel');
    expect([await steer(id, 'pause'), await steer(id, 'resume')]).toEqual([REFUSED, REFUSED]);
    await record(id, [1]);
    expect(await campaign(stage, ana, id)).toMatchObject({ status: 'cancelado', published: 6, stored: 1, percent: 16 });
  });

  test('a paused campaign can be cancelled', async () => {
    const id = await queued();
    await steer(id, 'pause');
    expect(await steer(id, 'cancel')).toEqual([200, 'cancelado', 6, 0]);
  });

  test('a campaign that is being sent is paused and goes on as enviando', async () => {
    const id = await queued();
    await record(id, [1, 2]);
    expect(await campaign(stage, ana, id)).toMatchObject({ status: 'enviando', stored: 2, percent: 33 });
    expect(await steer(id, 'pause')).toEqual([200, 'pausado', 6, 2]);
    await record(id, [3]);
    expect(await steer(id, 'resume')).toEqual([200, 'enviando', 6, 3]);
  });

  test('a campaign that is all sent refuses pause and cancel, and a resume changes nothing', async () => {
    const id = await queued();
    await record(id, [1, 2, 3, 4, 5, 6]);
    expect([await steer(id, 'pause'), await steer(id, 'cancel')]).toEqual([REFUSED, REFUSED]);
    expect(await steer(id, 'resume')).toEqual([200, 'enviado', 6, 6]);
  });

  test('a campaign paused too late is enviado: a second pause is 200, a cancel is refused', async () => {
    const id = await queued();
    await steer(id, 'pause');
    await record(id, [1, 2, 3, 4, 5, 6]);
    expect(await steer(id, 'pause')).toEqual([200, 'enviado', 6, 6]);
    expect(await steer(id, 'cancel')).toEqual(REFUSED);
  });

  test('commands take neither a body nor a query', async () => {
    const id = await queued();
    const answers = await Promise.all(
      ['pause', 'resume', 'cancel'].flatMap((command) => [
        as(stage, ana)('POST', `/api/campaigns/${id}/${command}`, { body: { force: true } }),
        as(stage, ana)('POST', `/api/campaigns/${id}/${command}?force=true`),
      ]),
    );
    expect(answers.map(refusal)).toEqual(answers.map(() => [400, 'VALIDATION']));
    expect(await campaign(stage, ana, id)).toMatchObject({ status: 'enfileirado' });
  });

  test('ten concurrent commands end in one of the states, with a sum that holds', async () => {
    const id = await queued();
    const commands = ['pause', 'resume', 'cancel', 'pause', 'resume', 'pause', 'resume', 'pause', 'resume', 'cancel'];
    const answers = await Promise.all(
      commands.map((command) => as(stage, ana)('POST', `/api/campaigns/${id}/${command}`)),
    );
    expect(answers.map(({ status }) => status).filter((status) => ![200, 409].includes(status))).toEqual([]);
    expect((await campaign(stage, ana, id)).status).toBe('cancelado');
  });
});

describe('with a consumer', () => {
  test('a paused campaign is let go by the queue, and after its resume every number is stored once', async () => {
    const [paused, running] = [await queued(), await queued()];
    await steer(paused, 'pause');
    consumer = stage.consumer();
    await untilStatus(stage, ana, running, 'enviado');
    await stage.until(async () => (await inQueue()) === 0, 'the queue is empty');
    expect(await campaign(stage, ana, paused)).toMatchObject({ status: 'pausado', stored: 0 });
    expect(await storedNumbers(stage, paused)).toEqual([]);
    await steer(paused, 'resume');
    expect(await untilStatus(stage, ana, paused, 'enviado')).toMatchObject({ total: 6, published: 6, stored: 6 });
    expect(await storedNumbers(stage, paused)).toEqual(NUMBERS);
  });

  test('a campaign that is resumed while its first messages still wait is stored once', async () => {
    const id = await queued();
    await steer(id, 'pause');
    await steer(id, 'resume');
    await stage.until(async () => (await inQueue()) >= 12, 'both copies are in the queue');
    consumer = stage.consumer();
    await untilStatus(stage, ana, id, 'enviado');
    await stage.until(async () => (await inQueue()) === 0, 'the queue is empty');
    expect(await storedNumbers(stage, id)).toEqual(NUMBERS);
    expect(await campaign(stage, ana, id)).toMatchObject({ published: 6, stored: 6 });
  });

  test('a cancelled and a deleted campaign leave no message, and the queue lets them go', async () => {
    const [cancelled, deleted, running] = [await queued(), await queued(), await queued()];
    await steer(cancelled, 'cancel');
    expect((await as(stage, ana)('DELETE', `/api/campaigns/${deleted}`)).status).toBe(204);
    consumer = stage.consumer();
    await untilStatus(stage, ana, running, 'enviado');
    await stage.until(async () => (await inQueue()) === 0, 'the queue is empty');
    expect([await marks(cancelled), await marks(deleted)]).toEqual([[], []]);
    expect(await campaign(stage, ana, cancelled)).toMatchObject({ status: 'cancelado', stored: 0 });
  });

  test('deleting a campaign marks its documents, keeps them, and it is not found on any route', async () => {
    consumer = stage.consumer();
    const [deleted, kept] = await Promise.all([storedCampaign(), storedCampaign()]);
    const answer = await as(stage, ana)('DELETE', `/api/campaigns/${deleted}`);
    expect([answer.status, answer.body]).toEqual([204, undefined]);
    expect([await marks(deleted), await marks(kept)]).toEqual([Array(6).fill(true), Array(6).fill(false)]);
    const routes: [string, string, object?][] = [
      ['GET', ''],
      ['PATCH', '', { name: 'x' }],
      ['DELETE', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/cancel'],
      ['GET', '/messages'],
      ['GET', '/messages.csv'],
      ['GET', '/rejects'],
      ['GET', '/rejects.csv'],
    ];
    for (const [method, path, body] of routes) {
      const gone = await as(stage, ana)(method, `/api/campaigns/${deleted}${path}`, body ? { body } : {});
      expect([method, path, ...refusal(gone)]).toEqual([method, path, 404, 'CAMPAIGN.NOT_FOUND']);
    }
    const { body } = await as(stage, ana)<{ data: { id: string }[] }>('GET', '/api/campaigns?page_size=100');
    expect(body.data.map(({ id }) => id)).toEqual(expect.not.arrayContaining([deleted]));
    const [row] = await stage.sql('SELECT deleted, deleted_at IS NOT NULL AS dated FROM campaigns WHERE id = $1', [
      deleted,
    ]);
    expect(row).toEqual({ deleted: true, dated: true });
  });

  test('deleting a company deletes its campaigns and marks their documents', async () => {
    consumer = stage.consumer();
    const doomed = await stage.company(ana);
    const [first, second, kept] = await Promise.all([storedCampaign(doomed), storedCampaign(doomed), storedCampaign()]);
    expect((await as(stage, ana)('DELETE', `/api/companies/${doomed.id}`)).status).toBe(204);
    for (const id of [first, second])
      expect(refusal(await as(stage, ana)('GET', `/api/campaigns/${id}`))).toEqual([404, 'CAMPAIGN.NOT_FOUND']);
    expect(
      await stage.sql('SELECT count(*)::int AS living FROM campaigns WHERE company_id = $1 AND NOT deleted', [
        doomed.id,
      ]),
    ).toEqual([{ living: 0 }]);
    expect([await marks(first), await marks(second), await marks(kept)]).toEqual([
      Array(6).fill(true),
      Array(6).fill(true),
      Array(6).fill(false),
    ]);
    expect(await campaign(stage, ana, kept)).toMatchObject({ status: 'enviado', deleted: false });
  });

  /** A campaign that the running consumer has stored. */
  async function storedCampaign(of: TestCompany = company): Promise<string> {
    const { id } = await accepted(stage, ana, of, NUMBERS);
    await untilStatus(stage, ana, id, 'enviado');
    return id;
  }
});
