import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { someCnpj } from '../../../testing/cnpj.js';
import { Receiver } from '../../../testing/receiver.js';
import { migrate } from '../../platform/stores/migrate.js';

type Handler = (event: object, context: object) => Promise<Record<string, number>>;

/** What tsc made: see api.e2e.spec.ts. */
const HANDLER = new URL('../../../dist/functions/webhooks.js', import.meta.url).href;
const FUNCTION_MS = 55_000;
/** It is told to stop when so much is left. */
const TIME_TO_STOP_MS = 20_000;

let stage: ApiStage;
let handler: Handler;
const receivers: Receiver[] = [];

beforeAll(async () => {
  // No server: it would send, too.
  stage = await ApiStage.open({ start: false });
  await migrate(stage.env.DATABASE_URL);
  await stage.sql(`INSERT INTO companies (id, name, document) VALUES ('acme', 'Acme', $1)`, [someCnpj()]);
  await stage.sql(`INSERT INTO event_clients (client_id, company_id) VALUES ('client-1', 'acme')`);
  await stage.sql(`INSERT INTO event_types (company_id, name, version) VALUES ('acme', 'user-app', 1)`);
  const env = { ...stage.env, LOG_LEVEL: 'silent', WEBHOOKS_ALLOW_PRIVATE: 'true' };
  for (const [key, value] of Object.entries(env)) vi.stubEnv(key, value);
  ({ handler } = (await import(/* @vite-ignore */ HANDLER)) as { handler: Handler });
  // It takes its time to load.
  await tick();
});

afterEach(async () => {
  await stage.sql('TRUNCATE events, event_quarantine, event_deliveries, event_endpoints, event_attempts');
  for (const receiver of receivers.splice(0)) await receiver.close();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await stage?.close();
});

/** Calls the function as its schedule does. Returns what it returned, and how much of its time was left. */
async function tick(timeMs = FUNCTION_MS): Promise<[counts: Record<string, number>, leftMs: number]> {
  const end = performance.now() + timeMs;
  const getRemainingTimeInMillis = () => Math.max(Math.floor(end - performance.now()), 0);
  const counts = await handler({}, { callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis });
  return [counts, getRemainingTimeInMillis()];
}

/** A receiver, its endpoint, and new events that are due there. */
async function owed(id: string, count: number, ratePerS: number, answer?: Receiver['answer']): Promise<Receiver> {
  const receiver = await Receiver.open(answer);
  receivers.push(receiver);
  await stage.sql(
    `INSERT INTO event_endpoints (id, company_id, url, secret, rate_per_s) VALUES ($1, 'acme', $2, $3, $4)`,
    [id, receiver.url, `whsec_${Buffer.alloc(24, 'k').toString('base64')}`, ratePerS],
  );
  await stage.sql(
    `WITH new AS (INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message)
       SELECT 'acme', 'client-1', t.id, gen_random_uuid(), '', '{}' FROM event_types t, generate_series(1, $2) RETURNING id)
     INSERT INTO event_deliveries (event_id, endpoint_id, due_at) SELECT id, $1, clock_timestamp() FROM new`,
    [id, count],
  );
  return receiver;
}

const ids = ({ requests }: Receiver) => requests.map(({ id }) => id).sort();
const idsOwed = async (to: string) =>
  (
    await stage.sql<{ id: string }>(`SELECT 'evt_' || event_id AS id FROM event_deliveries WHERE endpoint_id = $1`, [
      to,
    ])
  )
    .map(({ id }) => id)
    .sort();

test('a tick sends what is due, and says how it ended', async () => {
  const taking = await owed('taking', 40, 1_000);
  const refusing = await owed('refusing', 1, 50, () => ({ status: 500 }));
  const [counts] = await tick();
  expect(counts).toEqual({ delivered: 40, failed: 1, dead: 0, void: 0 });
  expect(ids(taking)).toEqual(await idsOwed('taking'));
  expect(ids(refusing)).toEqual(await idsOwed('refusing'));
});

test('it ends before its time is over, though a receiver hangs; what waited goes out with the next tick, once', {
  timeout: 90_000,
}, async () => {
  const hanging = await owed('hanging', 60, 50, () => ({ never: 'answer' }));
  const slow = await owed('slow', 8, 1);
  const [counts, leftMs] = await tick(TIME_TO_STOP_MS + 3_000);
  expect(leftMs).toBeGreaterThan(0);
  // Each request that was begun has been waited for, and none was cut off.
  expect(counts).toEqual({ delivered: slow.requests.length, failed: hanging.requests.length, dead: 0, void: 0 });
  expect(slow.requests.length).toBeLessThan(8);
  const [untouched] = await stage.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM event_deliveries WHERE endpoint_id = 'hanging' AND attempts = round_from
        AND due_at < clock_timestamp()`,
  );
  expect(untouched?.count).toBe(60 - hanging.requests.length);

  const before = slow.requests.length;
  const [next] = await tick();
  expect(next).toMatchObject({ delivered: 8 - before });
  expect(ids(slow)).toEqual(await idsOwed('slow'));
});
