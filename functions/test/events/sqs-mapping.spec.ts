import { afterEach, beforeEach, expect, test } from 'vitest';
import { Mapping } from '../../../services/sqs/mapping.js';
import { OwnSqs } from '../../../testing/own-sqs.js';
import { until } from '../../../testing/until.js';

type Event = { Records: { messageId: string; body: string; attributes: { ApproximateReceiveCount: string } }[] };

let sqs: OwnSqs;
let mapping: Mapping | undefined;
let calls: Event['Records'][];
let said: string[];

beforeEach(async () => {
  sqs = await OwnSqs.open();
  calls = [];
  said = [];
});

afterEach(async () => {
  await mapping?.stop();
  await sqs.close();
});

function map(answer: (records: Event['Records']) => unknown, batchSize = 500): void {
  mapping = new Mapping({
    ...{ client: sqs.client, queue: sqs.queue, region: 'sa-east-1', batchSize, windowS: 1, concurrency: 2 },
    invoke: async (event) => {
      const { Records } = event as Event;
      calls.push(Records);
      return answer(Records);
    },
    say: (line) => said.push(line),
  });
}

const bodies = (count: number) => Array.from({ length: count }, (_, at) => `event ${at}`);
const untilCounts = (ready: number, hidden: number) =>
  until(async () => expect(await sqs.counts()).toEqual({ ready, hidden }));

test('what is reported as failed comes again, and the rest is gone', async () => {
  await sqs.send(bodies(25));
  const isOdd = (body: string) => Number(body.split(' ')[1]) % 2 === 1;
  map((records) => {
    const failed = records.filter(({ body, attributes }) => isOdd(body) && attributes.ApproximateReceiveCount === '1');
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  });
  await untilCounts(0, 0);
  const seen = calls.flat().map(({ body }) => body);
  expect(seen.sort()).toEqual([...bodies(25), ...bodies(25).filter(isOdd)].sort());
  expect(said).toEqual([]);
});

test.each([
  ['an error', { errorMessage: 'it failed', errorType: 'Error' }],
  ['nothing', undefined],
  ['null', null],
  ['a text', 'batchItemFailures'],
  ['failures that are no list', { batchItemFailures: {} }],
  ['a failure without an id', { batchItemFailures: [{}] }],
  ['a failure that is null', { batchItemFailures: [null] }],
  ['an id of no record', { batchItemFailures: [{ itemIdentifier: 'other' }] }],
])('a function that answers %s: nothing is deleted, and all come again', async (_, answer) => {
  await sqs.send(bodies(3));
  map(() => answer);
  await until(() =>
    expect(calls.flat().filter((each) => each.attributes.ApproximateReceiveCount === '2').length).toBe(3),
  );
  await mapping?.stop();
  expect(await sqs.counts()).toEqual({ ready: 0, hidden: 3 });
  expect(said[0]).toMatch(/come again: it answered/);
});

test('a function that cannot be called: nothing is deleted, and all come again', async () => {
  await sqs.send(bodies(3));
  map(() => {
    throw new Error('closed');
  });
  await until(() => expect(calls.flat().length).toBeGreaterThanOrEqual(6));
  await mapping?.stop();
  expect(await sqs.counts()).toEqual({ ready: 0, hidden: 3 });
  expect(said[0]).toMatch(/come again: closed/);
});

test('an event has at most as many records as a batch', async () => {
  await sqs.send(bodies(60));
  map(() => ({ batchItemFailures: [] }), 25);
  await untilCounts(0, 0);
  expect([calls.flat().length, Math.max(...calls.map(({ length }) => length)) <= 25]).toEqual([60, true]);
});
