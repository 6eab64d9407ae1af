import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import type { Config } from '../platform/config.js';
import { Runtime } from '../platform/runtime.js';
import type { Log } from '../platform/telemetry/log.js';
import type { BatchRow, ContactsRepository } from './contacts.repository.js';
import { ReadJob } from './read-job.js';

const WAITING_LIMIT = 10_000;
const WAITING = { id: '99', size: 500, started: false, done: false, failed: {} };
const stays = () => new Promise<void>(() => {});

let batch: BatchRow;
let reading: ReadJob;

beforeEach(() => {
  batch = WAITING;
  const repository = { batches: async (ids: string[]) => (ids.includes(batch.id) ? [batch] : []) };
  reading = new ReadJob(repository as unknown as ContactsRepository, new Runtime('server'), {} as Config, {} as Log);
});

async function turns(): Promise<void> {
  for (let at = 0; at < 5; at++) await nextTurn();
}

test.each([
  ['accepted', {}, { status: 'waiting' }],
  ['begun', { started: true }, { status: 'active' }],
  ['done', { started: true, done: true }, { status: 'completed' }],
  ['done, a neighbour failed', { started: true, done: true, failed: { '99008': 'conflict' } }, { status: 'completed' }],
  [
    'done, failed',
    { started: true, done: true, failed: { '99007': 'conflict' } },
    { status: 'failed', reason: 'conflict' },
  ],
  [
    'refused by the store',
    { started: true, done: true, failed: { '99007': 'refused_by_store:23514' } },
    { status: 'failed', reason: 'refused_by_store' },
  ],
  ['of fewer lines', { size: 7 }, { status: 'unknown' }],
  ['another one', { id: '98' }, { status: 'unknown' }],
])('the state of a job is computed: its batch is %s', async (_, of, found) => {
  batch = { ...WAITING, ...of };
  expect(await reading.find('99007', 0, stays)).toEqual(found);
});

test('the 10,001st that waits is answered at once', async () => {
  let left: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    left = resolve;
  });
  let answered = 0;
  const waiting = Array.from({ length: WAITING_LIMIT }, async () => {
    await reading.find('99007', 30, () => gone);
    answered += 1;
  });
  await turns();
  expect(await reading.find('99007', 30, stays)).toEqual({ status: 'waiting' });
  expect(answered).toBe(0);
  left();
  await Promise.all(waiting);
  expect(answered).toBe(WAITING_LIMIT);
});

test('who has left waits no longer, however it left', async () => {
  const answers = [() => Promise.resolve(), () => Promise.reject(new Error('reset'))].map((left) =>
    reading.find('99007', 30, left),
  );
  expect(await Promise.all(answers)).toEqual([{ status: 'waiting' }, { status: 'waiting' }]);
});
