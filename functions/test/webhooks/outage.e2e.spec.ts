import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { TcpProxy } from '../../../testing/proxy.js';
import { until, untilTrue } from '../../../testing/until.js';
import { isContended } from '../../platform/stores/postgres.js';
import { Lease } from '../../webhooks/deliver/deliver-one.js';
import { InFlight } from '../../webhooks/deliver/in-flight.js';
import { type Sender, WebhooksStage } from './fixtures.js';

const POSTGRES_PORT = 5432;
const SLOW_MS = 120_000;

let stage: WebhooksStage;
let proxy: TcpProxy;
let sender: Sender;
let stop: AbortController;
let running: Promise<void>;

beforeAll(async () => {
  stage = await WebhooksStage.open();
});
beforeEach(async () => {
  proxy = await TcpProxy.openTo(stage.events.stores.env.DATABASE_URL, POSTGRES_PORT);
  sender = stage.sender(proxy.url);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
  await proxy.close();
  await stage.clear();
});
afterAll(() => stage.close());

test(
  'answers that come while PostgreSQL is away are settled when it is back, and nothing is sent again',
  async () => {
    const { id, receiver } = await stage.target(() => ({ delayMs: 500 }));
    await stage.store(100);
    running = sender.webhooks.loop(stop.signal);
    await receiver.untilCount(20);
    await proxy.close();
    await untilTrue(() => receiver.inFlight === 0, 'all are answered');
    // The leases end meanwhile: a sender that claimed before it settled would send them again.
    const sent = receiver.requests.length;
    await stage.sql(`UPDATE event_deliveries SET due_at = due_at - interval '31 s' WHERE endpoint_id = $1`, [id]);
    await proxy.open();
    await stage.untilState(id, 'delivered', 100, SLOW_MS);
    expect(sent).toBeLessThan(100);
    expect(new Set(receiver.requests.map(({ turn }) => turn))).toEqual(new Set([1]));
    expect(receiver.requests).toHaveLength(100);
    expect(sender.said('error')).toEqual(['webhooks cannot be sent now; trying again']);
    expect(sender.said('info')).toContain('webhooks are sent again');
  },
  SLOW_MS,
);

test(
  'a connection to PostgreSQL that dies without a word holds up no settling beyond the lease',
  async () => {
    const { id, receiver } = await stage.target(() => ({ delayMs: 1_000 }));
    await stage.store(10);
    running = sender.webhooks.loop(stop.signal);
    await receiver.untilCount(10);
    proxy.silence();
    await stage.untilState(id, 'delivered', 10, SLOW_MS);
    expect(receiver.requests).toHaveLength(10);
  },
  SLOW_MS,
);

test(
  'an endpoint whose row is locked holds up its own settling only, and that is no outage',
  async () => {
    const locked = await stage.target(() => ({ delayMs: 1_000, status: 500 }));
    await stage.store(16);
    running = sender.webhooks.loop(stop.signal);
    await locked.receiver.untilCount(16);
    const holder = await stage.events.stores.pool.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM event_endpoints WHERE id = $1 FOR NO KEY UPDATE', [locked.id]);
      await untilTrue(() => locked.receiver.inFlight === 0, 'all are answered');
      const other = await stage.target();
      await stage.store(20);
      await stage.untilState(other.id, 'delivered', 20, SLOW_MS);
      expect(await stage.attempts(locked.id)).toEqual([]);
    } finally {
      await holder.query('COMMIT');
      holder.release();
    }
    await until(async () => expect(await stage.attempts(locked.id)).toHaveLength(16));
    expect((await stage.attempts(locked.id)).every(({ attempt, status }) => attempt === 1 && status === 500)).toBe(
      true,
    );
    expect(await stage.sql('SELECT failures FROM event_endpoints WHERE id = $1', [locked.id])).toEqual([
      { failures: 5 },
    ]);
    expect(sender.said('error')).toEqual([]);
  },
  SLOW_MS,
);

/** A target with one claim, and no sender that runs. */
async function claimed() {
  const target = await stage.target();
  await stage.store(1);
  running = Promise.resolve();
  const [claim] = await sender.repository.claim(20, 16, []);
  if (!claim) throw new Error('not claimed');
  return { ...target, claim };
}

test('disabling an endpoint whose row is locked is to be tried again, and waits on no connection', async () => {
  const { id, receiver, claim } = await claimed();
  const holder = await stage.events.stores.pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM event_endpoints WHERE id = $1 FOR NO KEY UPDATE', [id]);
    const disabled = sender.repository.disable(claim, receiver.url, 'gone');
    expect(isContended(await disabled.catch((reason: unknown) => reason))).toBe(true);
  } finally {
    await holder.query('COMMIT');
    holder.release();
  }
  expect(await sender.repository.disable(claim, receiver.url, 'gone')).toBe(stage.events.acme);
});

test('a claim is not sent when a request might end after its lease', async () => {
  const { id, receiver, claim } = await claimed();
  const run = { inFlight: new InFlight(), stop: stop.signal, giveUp: stop.signal };
  expect(await sender.one.deliver(claim, new Lease(0), run)).toBe('unsent');
  expect([receiver.requests.length, run.inFlight.requests]).toEqual([0, 0]);
  expect(await stage.deliveries(id)).toMatchObject([{ state: 'due', attempts: 1, round_from: 1 }]);
});

test('what cannot be given back at once holds up no sender that must end', async () => {
  const { id, claim } = await claimed();
  const holder = await stage.events.stores.pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM event_deliveries WHERE endpoint_id = $1 FOR UPDATE', [id]);
    const run = { inFlight: new InFlight(), stop: stop.signal, giveUp: AbortSignal.abort() };
    expect(await sender.one.deliver(claim, new Lease(0), run)).toBe('unsent');
    // It has not waited for its statement, which waits still.
    await untilTrue(async () => {
      const waiting = await stage.sql(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ '^UPDATE event_deliveries'`,
      );
      return waiting.length > 0;
    }, 'the statement waits');
  } finally {
    await holder.query('COMMIT');
    holder.release();
  }
  await until(async () => expect(await stage.deliveries(id)).toMatchObject([{ attempts: 1, round_from: 1 }]));
});

test(
  'told to stop while PostgreSQL is away, a sender waits for it no longer than it may',
  async () => {
    const { receiver } = await stage.target(() => ({ delayMs: 200 }));
    await stage.store(1);
    running = sender.webhooks.loop(stop.signal);
    await receiver.untilCount(1);
    await proxy.close();
    await untilTrue(() => sender.said('error').length > 0, 'it says so');
    stop.abort();
    await running;
    expect(sender.said('error').at(-1)).toBe('PostgreSQL was away too long: a webhook may be sent again');
  },
  SLOW_MS,
);
