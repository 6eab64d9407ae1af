import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Broker } from '../../platform/stores/rabbitmq.js';
import type { OutboxRepository } from './outbox.repository.js';
import type { PublishCampaign, Publishing } from './publish-campaign.js';
import { PublishOwed } from './publish-owed.js';

const EVERY_MS = 2_000;
const never = new AbortController().signal;

/** What the ledger holds, and how the queue of a partition takes it; absent: all of it. */
let owing: { id: string; partition: number }[];
let queues: Record<number, Publishing>;
let brokerIsUp: boolean;
/** What was tried, and when, in seconds since the start. */
let tries: string[];
let startedAt: number;
let owed: PublishOwed;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  startedAt = Date.now();
  [owing, queues, brokerIsUp, tries] = [[], {}, true, []];
  const outbox = {
    withoutPublisher: async (except: number[]) => owing.filter(({ partition }) => !except.includes(partition)),
    claim: async ({ id }: { id: string }) => owing.find((campaign) => campaign.id === id),
  };
  const publishing = {
    releaseAgain: async () => {},
    publish: async ({ id, partition }: { id: string; partition: number }): Promise<Publishing> => {
      tries.push(`${id} ${(Date.now() - startedAt) / 1_000}`);
      const outcome = queues[partition] ?? 'all';
      if (outcome === 'all') owing = owing.filter((campaign) => campaign.id !== id);
      return outcome;
    },
  };
  const broker = {
    ping: async () => {
      if (!brokerIsUp) throw new Error('away');
    },
  };
  owed = new PublishOwed(
    outbox as unknown as OutboxRepository,
    publishing as unknown as PublishCampaign,
    broker as Broker,
  );
});

afterEach(() => {
  vi.useRealTimers();
});

/** Runs at once and then every two seconds. Returns the results; that of a run that failed is its message. */
async function runs(count: number): Promise<unknown[]> {
  const results: unknown[] = [];
  for (let run = 0; run < count; run++) {
    results.push(await owed.run(never).catch((error: Error) => error.message));
    vi.setSystemTime(Date.now() + EVERY_MS);
  }
  return results;
}

const NOTHING = { published: 0, failed: 0 };

test('what is owed at two looks is published, and what a request publishes is left to it', async () => {
  owing = [{ id: 'a', partition: 0 }];
  expect(await runs(1)).toEqual([NOTHING]);
  owing.push({ id: 'b', partition: 0 });
  expect(await runs(1)).toEqual([{ published: 1, failed: 0 }]);
  owing = [];
  expect(await runs(1)).toEqual([NOTHING]);
  expect(tries).toEqual(['a 2']);
});

test('nothing is claimed while the broker is away, and the outage ends when it answers', async () => {
  brokerIsUp = false;
  expect(await runs(1)).toEqual([NOTHING]);
  owing = [{ id: 'a', partition: 0 }];
  expect(await runs(2)).toEqual([NOTHING, 'away']);
  owing = [];
  expect(await runs(2)).toEqual(['away', 'away']);
  owing = [{ id: 'b', partition: 0 }];
  brokerIsUp = true;
  expect(await runs(2)).toEqual([NOTHING, { published: 1, failed: 0 }]);
  expect(tries).toEqual(['b 12']);
});

test('a partition that refuses is tried ever less often, at least once a minute', async () => {
  owing = [{ id: 'a', partition: 0 }];
  queues = { 0: 'failed' };
  await runs(100);
  // 2 s later, then 4, 8, 16, 32, 60 and 60 s, each with the second look that every campaign has.
  expect(tries).toEqual(['a 2', 'a 4', 'a 10', 'a 20', 'a 38', 'a 72', 'a 134', 'a 196']);
});

test('a partition that refuses holds up no other, and its second campaign is not tried', async () => {
  owing = [
    { id: 'a', partition: 0 },
    { id: 'b', partition: 0 },
    { id: 'c', partition: 1 },
  ];
  queues = { 0: 'failed' };
  expect(await runs(2)).toEqual([NOTHING, { published: 1, failed: 1 }]);
  expect(tries).toEqual(['a 2', 'c 2']);
});

test('a partition that takes messages again is tried as soon as any other', async () => {
  owing = [{ id: 'a', partition: 0 }];
  queues = { 0: 'failed' };
  await runs(5);
  queues = {};
  await runs(5);
  owing = [{ id: 'b', partition: 0 }];
  queues = { 0: 'failed' };
  await runs(4);
  expect(tries.filter((line) => line.startsWith('b'))).toEqual(['b 22', 'b 24']);
});
