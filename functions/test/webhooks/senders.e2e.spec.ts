import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Process } from '../../../testing/process.js';
import { untilTrue } from '../../../testing/until.js';
import { WebhooksStage, webhookId } from './fixtures.js';

const SLOW_MS = 120_000;
/** A timer of Node may be early by the part of a millisecond, twice. */
const TIMER_MS = 5;

let stage: WebhooksStage;

beforeAll(async () => {
  stage = await WebhooksStage.open();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

/** Plain servers that have begun to look for what is due. */
async function servers(count: number): Promise<Process[]> {
  const all = Array.from({ length: count }, () => stage.server());
  for (const each of all) await each.untilSaid('ready');
  return all;
}

/** The most that came within a second. */
const mostInASecond = (times: readonly number[]) =>
  Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));

describe('three senders', () => {
  let three: Process[] = [];
  beforeAll(async () => {
    three = await servers(3);
  });
  afterAll(async () => {
    await Promise.all(three.map((each) => each.stop()));
  });

  test.each([
    [10, 100],
    [200, 600],
  ])(
    'send at most %i a second to an endpoint that asks for it, and each event once',
    async (ratePerS, count) => {
      const { id, receiver } = await stage.target(undefined, { ratePerS });
      // Its first slot is in two seconds, and is claimed up to one second before: who does not wait for it comes too early.
      const [first] = await stage.sql<{ slot_ms: number }>(
        `UPDATE event_endpoints SET next_slot_at = clock_timestamp() + interval '2 s' WHERE id = $1
         RETURNING (extract(epoch FROM next_slot_at) * 1000)::float8 AS slot_ms`,
        [id],
      );
      await stage.store(count);
      await stage.untilState(id, 'delivered', count, SLOW_MS);
      expect(receiver.requests).toHaveLength(count);
      expect(new Set(receiver.requests.map(({ turn }) => turn))).toEqual(new Set([1]));
      // None before its slot, by how many came until then; later a machine that has much to do may well be.
      const times = receiver.requests.map(({ at }) => at).sort((a, b) => a - b);
      const slots = times.map((_, n) => (first?.slot_ms ?? Number.NaN) + (1_000 * n) / ratePerS);
      const early = times.map((at, n) => (slots[n] ?? Number.NaN) - at);
      expect(Math.max(...early)).toBeLessThanOrEqual(TIMER_MS);
      // Slots are given out a second ahead at most: a sender that is late by that much sends two seconds' in one.
      expect(mostInASecond(times)).toBeLessThanOrEqual(2 * ratePerS);
    },
    SLOW_MS,
  );

  test(
    'bring all to a quick receiver at once, while another one hangs and has 32 requests of each at most',
    async () => {
      const hanging = await stage.target(() => ({ never: 'answer' }));
      const quick = await stage.target();
      await stage.store(200);
      await stage.untilState(quick.id, 'delivered', 200, SLOW_MS);
      expect(hanging.receiver.requests.length).toBeGreaterThan(0);
      expect(hanging.receiver.mostInFlight).toBeLessThanOrEqual(3 * 32);
      expect((await stage.attempts(quick.id)).every(({ attempt, status }) => attempt === 1 && status === 200)).toBe(
        true,
      );
    },
    SLOW_MS,
  );
});

test(
  'a sender that is killed with 64 in flight loses nothing, and only those 64 come again, under the same id',
  async () => {
    const [first] = await servers(1);
    const targets = [await stage.target(() => ({ never: 'answer' })), await stage.target(() => ({ never: 'answer' }))];
    const events = await stage.store(40);
    for (const { receiver } of targets) await receiver.untilCount(32);
    await first?.kill();
    const held = targets.map(({ receiver }) => new Set(receiver.requests.map(({ id }) => id)));
    expect(held.map(({ size }) => size)).toEqual([32, 32]);
    for (const { receiver } of targets) receiver.answer = () => ({});
    const others = await servers(2);
    for (const [n, { id, receiver }] of targets.entries()) {
      await stage.untilState(id, 'delivered', 40, SLOW_MS);
      const came = Object.fromEntries(events.map((event) => [webhookId(event), receiver.of(webhookId(event)).length]));
      expect(came).toEqual(Object.fromEntries(Object.keys(came).map((each) => [each, held[n]?.has(each) ? 2 : 1])));
      const bodies = new Set(receiver.requests.map(({ id, body }) => `${id} ${body}`));
      expect(bodies.size).toBe(40);
    }
    await Promise.all(others.map((each) => each.stop()));
  },
  SLOW_MS,
);

test(
  'a sender that is told to stop settles what it has sent, and gives back what waits for its slot',
  async () => {
    const [server] = await servers(1);
    const { id, receiver } = await stage.target(() => ({ delayMs: 2_000 }), { ratePerS: 10 });
    await stage.store(100);
    await receiver.untilCount(3);
    server?.signal('SIGTERM');
    expect(await server?.exit()).toBe(0);
    const rows = await stage.deliveries(id);
    const sent = receiver.requests.length;
    expect(sent).toBeLessThan(100);
    expect(rows.filter(({ state }) => state === 'delivered')).toHaveLength(sent);
    expect(await stage.attempts(id)).toHaveLength(sent);
    const left = rows.filter(({ state }) => state === 'due');
    // Due now, and of the round none is used up.
    expect(left.filter(({ attempts, round_from, due_in_s }) => attempts !== round_from || (due_in_s ?? 1) > 0)).toEqual(
      [],
    );
    expect(left.some(({ attempts }) => attempts === 1)).toBe(true);
  },
  SLOW_MS,
);

test(
  'an endpoint of which all is held up has no more than 32 requests of a sender in flight',
  async () => {
    const { receiver } = await stage.target(() => ({ never: 'answer' }));
    await stage.store(100);
    const [server] = await servers(1);
    await receiver.untilCount(32);
    // The next looks come and go, and claim no more.
    const look = await stage.target();
    await stage.store(1);
    await untilTrue(() => look.receiver.requests.length > 0, 'another endpoint has its event');
    expect(receiver.requests).toHaveLength(32);
    await server?.kill();
  },
  SLOW_MS,
);
