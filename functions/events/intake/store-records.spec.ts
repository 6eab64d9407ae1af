import type { SQSRecord } from 'aws-lambda';
import pg from 'pg';
import { beforeEach, expect, test } from 'vitest';
import { ServiceUnavailable } from '../../platform/problem.js';
import type { Delivery } from './event-source.js';
import { storeRecords } from './store-records.js';

const RECORDS = [
  { messageId: 'a', body: 'olá' },
  { messageId: 'b', body: '{}' },
] as SQSRecord[];
const ALL = { batchItemFailures: [{ itemIdentifier: 'a' }, { itemIdentifier: 'b' }] };

let told: string[];
const log = { error: (_: object, sentence: string) => void told.push(sentence) };
const never = new AbortController().signal;

beforeEach(() => {
  told = [];
});

test('what is stored is no failure; each record is a delivery under its id', async () => {
  const seen: Delivery[] = [];
  const once = async (deliveries: readonly Delivery[]) => void seen.push(...deliveries);
  expect(await storeRecords({ once }, log, RECORDS, never)).toEqual({ batchItemFailures: [] });
  expect(seen).toEqual([
    { body: Buffer.from('olá'), key: 'b:a' },
    { body: Buffer.from('{}'), key: 'b:b' },
  ]);
  expect(told).toEqual([]);
});

const sqlError = (code: string) => Object.assign(new pg.DatabaseError('no', 0, 'error'), { code });

test.each([
  ['PostgreSQL is away', new ServiceUnavailable('the database is away'), 'the database is away'],
  ['a deadlock', sqlError('40P01'), 'the database is too busy'],
  ['a statement that took too long', sqlError('57014'), 'the database is too busy'],
  ['an error of SQL that is a bug', sqlError('42703'), 'a bug'],
  ['a bug', new TypeError('no'), 'a bug'],
])('%s: every record is reported', async (_, error, why) => {
  const once = () => Promise.reject(error);
  expect(await storeRecords({ once }, log, RECORDS, never)).toEqual(ALL);
  expect(told).toEqual([`no event of the queue is taken as stored: ${why}`]);
});

test('every record is reported when the time is over, before and while they are stored', async () => {
  const stop = new AbortController();
  const calls: number[] = [];
  const once = (deliveries: readonly Delivery[]) => {
    calls.push(deliveries.length);
    return new Promise<void>(() => {});
  };
  const storing = storeRecords({ once }, log, RECORDS, stop.signal);
  expect(calls).toEqual([2]);
  stop.abort();
  expect(await storing).toEqual(ALL);
  expect(await storeRecords({ once }, log, RECORDS, stop.signal)).toEqual(ALL);
  expect([calls, told.length]).toEqual([[2], 2]);
});
