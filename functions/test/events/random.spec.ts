import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { someCnpj } from '../../../testing/cnpj.js';
import { IntakeRepository } from '../../events/intake/intake.repository.js';
import type { Triaged } from '../../events/intake/triage.js';
import type { Postgres } from '../../platform/stores/postgres.js';
import { openConnections, untilWaiting } from '../simulation/connections.js';
import { runsOf } from '../simulation/runs.js';
import { type Connections, Simulation } from './simulation.js';

/** To repeat one run: EVENTS_SEED=<the seed of the failure> npx vitest run functions/test/events/random.spec.ts */
const { seeds, timeoutMs } = runsOf('EVENTS', 150);

let connections: Connections;
let close: () => Promise<void> = async () => {};

beforeAll(async () => {
  const opened = await openConnections(8);
  close = opened.close;
  const [monitor, registrar, sender, member, retention, ...processors] = opened.clients as [
    pg.Client,
    pg.Client,
    pg.Client,
    pg.Client,
    pg.Client,
  ];
  connections = { monitor, registrar, sender, member, retention, processors };
  await monitor.query(`INSERT INTO companies (id, name, document) VALUES ('acme', 'Acme', $1)`, [someCnpj()]);
  await monitor.query(`INSERT INTO event_clients (client_id, company_id) SELECT unnest('{a,b,c}'::text[]), 'acme'`);
  await monitor.query(`INSERT INTO event_types (company_id, name, version) VALUES ('acme', 't', 1), ('acme', 'u', 1)`);
});

afterAll(() => close());

test(
  'in any order of statements, commits and crashes a message is one row, by what is registered then',
  async () => {
    for (const seed of seeds) await new Simulation(seed, connections).run();
    expect(seeds.length).toBeGreaterThan(0);
  },
  timeoutMs,
);

test.each([
  ['events', 'of their keys'],
  ['event_quarantine', 'in which each message is found again'],
])('rows of %s are locked in the order %s: two processors never deadlock', async (table) => {
  const { monitor, sender: holder, processors } = connections;
  await monitor.query('TRUNCATE events, event_quarantine, event_deliveries');
  const [registry] = (await monitor.query<{ version: string }>('SELECT version FROM event_registry')).rows;
  const [type] = (await monitor.query<{ id: number }>(`SELECT id FROM event_types WHERE name = 'u'`)).rows;
  const triaged = (key: string): Triaged =>
    table === 'events' ? { ...EVENT, typeId: type?.id ?? 0, key } : { ...REFUSED, key };
  const store = (client: pg.Client, keys: string[]) =>
    repositoryOn(client).store(
      registry?.version ?? '',
      true,
      keys.map((key, n) => ({ n, body: Buffer.from(key), triaged: triaged(key) })),
    );
  await holder.query('BEGIN');
  await store(holder, ['b']);
  const [first, second] = processors as [pg.Client, pg.Client];
  const ended = [store(first, ['a', 'b', 'c']), store(second, ['c', 'b', 'a'])];
  await untilWaiting(monitor, [first, second]);
  await holder.query('COMMIT');
  await Promise.all(ended);
  expect((await monitor.query(`SELECT count(*)::int AS rows FROM ${table}`)).rows).toEqual([{ rows: 3 }]);
});

test('no plan of store_events reads a whole table, whatever the tables were when it was made', async () => {
  const { monitor, sender } = connections;
  await monitor.query('TRUNCATE events, event_quarantine, event_deliveries');
  const [registry] = (await monitor.query<{ version: string }>('SELECT version FROM event_registry')).rows;
  const [type] = (await monitor.query<{ id: number }>(`SELECT id FROM event_types WHERE name = 'u'`)).rows;
  const event = (key: string): Triaged => ({ ...EVENT, typeId: type?.id ?? 0, key });
  await sender.query('BEGIN');
  // A session keeps a plan from its sixth call on.
  for (let call = 0; call < 10; call++) {
    const all = [
      event('repeated'),
      event(`new-${call}`),
      { ...REFUSED, key: `bad-${call}` },
      { ...event('repeated'), message: 'y' },
    ];
    const rows = all.map((triaged, n) => ({ n, body: Buffer.from(triaged.key), triaged }));
    await repositoryOn(sender).store(registry?.version ?? '', true, rows);
  }
  const { rows } = await sender.query(
    `SELECT relname, seq_scan::int FROM pg_stat_xact_user_tables
      WHERE relname IN ('events', 'event_quarantine', 'event_deliveries') ORDER BY relname`,
  );
  await sender.query('ROLLBACK');
  expect(rows).toEqual([
    { relname: 'event_deliveries', seq_scan: 0 },
    { relname: 'event_quarantine', seq_scan: 0 },
    { relname: 'events', seq_scan: 0 },
  ]);
});

test('of two messages with one key in a batch the first is the event', async () => {
  const { monitor, sender } = connections;
  const [registry] = (await monitor.query<{ version: string }>('SELECT version FROM event_registry')).rows;
  const [type] = (await monitor.query<{ id: number }>(`SELECT id FROM event_types WHERE name = 'u'`)).rows;
  const event = (message: string): Triaged => ({ ...EVENT, typeId: type?.id ?? 0, key: 'both', message });
  await sender.query('BEGIN');
  const rows = ['x', 'y'].map((message, n) => ({ n, body: Buffer.from(message), triaged: event(message) }));
  const found = await repositoryOn(sender).store(registry?.version ?? '', true, rows);
  await sender.query('ROLLBACK');
  expect(found).toMatchObject([
    { n: 0, outcome: 'stored' },
    { n: 1, outcome: 'quarantined' },
  ]);
});

const EVENT = {
  kind: 'event',
  companyId: 'acme',
  clientId: 'a',
  typeName: 'u',
  message: 'x',
  occurredAt: undefined,
} as const;
const REFUSED = {
  kind: 'refused',
  reason: 'invalid_envelope',
  detail: 'body: not JSON',
  clientId: undefined,
  companyId: undefined,
  said: undefined,
} as const;

function repositoryOn(client: pg.Client): IntakeRepository {
  const query = async (text: string, values: unknown[]) => (await client.query(text, values)).rows;
  return new IntakeRepository({ query } as unknown as Postgres);
}
