import { declareEvents, eventsQueue } from '@disparo/contract';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { someCnpj } from '../../../testing/cnpj.js';

let stage: ApiStage;
const sql = <T = Record<string, unknown>>(text: string, values?: unknown[]) => stage.stores.sql<T>(text, values);

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0', EVENTS_KEEP_DAYS: '30' } });
  await sql(`INSERT INTO companies (id, name, document) VALUES ('acme', 'Acme', $1)`, [someCnpj()]);
  await sql(`INSERT INTO event_clients (client_id, company_id) VALUES ('client-1', 'acme')`);
  await sql(`INSERT INTO event_types (company_id, name, version) VALUES ('acme', 'user-app', 1)`);
  await sql(
    `INSERT INTO event_endpoints (id, company_id, url, secret) VALUES ('to', 'acme', 'https://127.0.0.1:9', 's')`,
  );
});
afterEach(async () => {
  await sql('TRUNCATE events, event_quarantine, event_deliveries');
  await sql(`DELETE FROM event_endpoints WHERE id <> 'to'`);
});
afterAll(() => stage?.close());

/** SQL for an event that came so many days ago. */
function event(id: number, key: string, days: number): string {
  return `INSERT INTO events (id, company_id, client_id, type_id, dedupe_key, content, message, received_at)
    SELECT ${id}, 'acme', 'client-1', id, '${key}', '', '{}', now() - interval '${days} days' FROM event_types;`;
}

/** SQL for a delivery that is owed. */
function owed(id: number, endpoint = 'to'): string {
  return `INSERT INTO event_deliveries (event_id, endpoint_id, due_at) VALUES (${id}, '${endpoint}', now());`;
}

/** SQL for an endpoint; `disabledDays`: how long ago it was disabled. */
function endpoint(id: string, { deleted = false, disabledDays }: { deleted?: boolean; disabledDays?: number }): string {
  const disabled = disabledDays === undefined ? 'NULL' : `now() - interval '${disabledDays} days'`;
  return `INSERT INTO event_endpoints (id, company_id, url, secret, deleted, disabled_at)
    VALUES ('${id}', 'acme', 'https://127.0.0.1:9', 's', ${deleted}, ${disabled});`;
}

/** SQL for a message in quarantine; `resolvedDays`: how long ago it was ended. */
function message(key: string, days: number, resolvedDays?: number, eventId?: number): string {
  const ended = resolvedDays === undefined ? 'NULL, NULL' : `now() - interval '${resolvedDays} days', 'replayed'`;
  return `INSERT INTO event_quarantine (reason, dedupe_key, source_key, body, received_at, resolved_at, resolution, event_id)
    VALUES ('invalid_envelope', '${key}', '${key}', 'x', now() - interval '${days} days', ${ended}, ${eventId ?? 'NULL'});`;
}

const keys = async (table: string): Promise<string[]> =>
  (await sql<{ key: string }>(`SELECT dedupe_key AS key FROM ${table} ORDER BY id`)).map(({ key }) => key);

describe('retention', () => {
  const passed = async () => {
    const pass = stage.script('command', ['dispatch']);
    expect(await pass.exited, pass.everything).toBe(0);
  };

  test('deletes old events of which nothing is owed, over all pages', async () => {
    // One transaction: the duty of the server looks, too.
    await sql(
      [
        event(1, 'owed', 31),
        owed(1),
        event(2, 'given up', 31),
        `INSERT INTO event_deliveries (event_id, endpoint_id, dead_at) VALUES (2, 'to', now());`,
        event(3, 'kept', 29),
        `INSERT INTO events (id, company_id, client_id, type_id, dedupe_key, content, message, received_at)
           SELECT n, 'acme', 'client-1', t.id, n, '', '{}', now() - interval '31 days'
             FROM event_types t, generate_series(10, 2500) AS n;`,
        event(3_000, 'new', 0),
      ].join('\n'),
    );
    await passed();
    expect(await keys('events')).toEqual(['owed', 'kept', 'new']);
    expect(await sql('SELECT event_id FROM event_deliveries')).toEqual([{ event_id: '1' }]);
  });

  test('what nobody has wanted for as long keeps no event: of a deleted endpoint, of one disabled before that', async () => {
    await sql(
      [
        endpoint('deleted', { deleted: true }) + event(1, 'to a deleted one', 31) + owed(1, 'deleted'),
        endpoint('long', { disabledDays: 31 }) + event(2, 'to one disabled long ago', 31) + owed(2, 'long'),
        endpoint('short', { disabledDays: 29 }) + event(3, 'to one disabled since', 31) + owed(3, 'short'),
        event(4, 'to two, one of them in use', 31) + owed(4, 'long') + owed(4),
        event(5, 'not old', 29) + owed(5, 'deleted') + owed(5, 'long'),
      ].join('\n'),
    );
    await passed();
    expect(await keys('events')).toEqual(['to one disabled since', 'to two, one of them in use', 'not old']);
    const kept = `SELECT event_id::int AS event, endpoint_id AS to FROM event_deliveries ORDER BY 1, 2`;
    expect(await sql(kept)).toEqual([
      { event: 3, to: 'short' },
      { event: 4, to: 'long' },
      { event: 4, to: 'to' },
      { event: 5, to: 'deleted' },
      { event: 5, to: 'long' },
    ]);
  });

  test.each([
    [
      'of an endpoint that is enabled in this moment',
      `UPDATE event_endpoints SET disabled_at = NULL WHERE id = 'long'`,
    ],
    [
      'that is replayed in this moment',
      `UPDATE event_deliveries SET due_at = now(), dead_at = NULL WHERE endpoint_id = 'to'`,
    ],
  ])('keeps a delivery %s, and waits for nobody', async (_, change) => {
    await sql(
      [
        endpoint('long', { disabledDays: 31 }) + event(1, 'a', 31) + owed(1, 'long'),
        `INSERT INTO event_deliveries (event_id, endpoint_id, dead_at) VALUES (1, 'to', now());`,
        event(2, 'of others', 31),
      ].join('\n'),
    );
    const client = await stage.stores.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(change);
      await passed();
      await client.query('COMMIT');
    } finally {
      client.release();
    }
    await passed();
    expect(await keys('events')).toEqual(['a']);
    expect(await sql('SELECT endpoint_id FROM event_deliveries ORDER BY 1')).toEqual([
      { endpoint_id: 'long' },
      { endpoint_id: 'to' },
    ]);
  });

  test('deletes messages of quarantine by the time of their end, open ones never', async () => {
    await sql(
      [
        message('open', 400),
        message('ended long ago', 400, 31),
        message('ended', 400, 29),
        ...Array.from({ length: 1_200 }, (_, n) => message(`m${n}`, 31, 31)),
      ].join('\n'),
    );
    await passed();
    expect(await keys('event_quarantine')).toEqual(['open', 'ended']);
  });

  test('keeps an old event as long as a message of quarantine names it', async () => {
    await sql(
      [event(1, 'named', 40), event(2, 'not any more', 40), message('a', 40, 29, 1), message('b', 40, 31, 2)].join(
        '\n',
      ),
    );
    await passed();
    expect([await keys('events'), await keys('event_quarantine')]).toEqual([['named'], ['a']]);
  });
});

describe('a scrape', () => {
  const scrape = async () => (await stage.api<string>('GET', '/metrics')).body;
  const ready = () => `disparo_events_queue_ready_messages{queue="${eventsQueue(stage.stores.env.QUEUE_PREFIX)}"}`;

  test('has what waits in a queue that is there, and no value for one that is not', async () => {
    expect(await scrape()).not.toContain(ready());
    await declareEvents(stage.stores.channel, stage.stores.env.QUEUE_PREFIX);
    const queue = eventsQueue(stage.stores.env.QUEUE_PREFIX);
    for (const body of ['a', 'b']) stage.stores.channel.publish(queue, queue, Buffer.from(body));
    await stage.stores.channel.waitForConfirms();
    const found = await scrape();
    expect(found).toContain(`${ready()} 2`);
    expect(found).toContain('disparo_up{service="rabbitmq"} 1');
  });

  test('has the open messages of quarantine and the age of the oldest, by reason', async () => {
    await sql([message('a', 2), message('b', 1), message('c', 9, 1)].join('\n'));
    const found = await scrape();
    expect(found).toContain('disparo_events_quarantine_open{reason="invalid_envelope"} 2');
    expect(found).toContain('disparo_events_quarantine_open{reason="missing_tenant"} 0');
    const [, oldest] = /_oldest_seconds\{reason="invalid_envelope"\} (\S+)/.exec(found) ?? [];
    expect(Math.floor(Number(oldest) / 86_400)).toBe(2);
  });
});

describe('npm run events -- watch', () => {
  beforeEach(() => declareEvents(stage.stores.channel, stage.stores.env.QUEUE_PREFIX));

  test('has a line each second with rates, quarantine and what waits, until it is told to stop', async () => {
    await sql(message('a', 2));
    const watching = stage.script('command', ['events', 'watch']);
    const line = (words: RegExp) => () => watching.output.find((each) => words.test(each));
    await stage.until(
      line(/ 0 events\/s; 1 in quarantine \(invalid_envelope 1\); oldest 2 d; waiting: \S+\.events \d+$/),
      'a line',
    );
    await sql(event(1, 'a', 0) + event(2, 'b', 0));
    await stage.until(line(/ [12] events\/s \(user-app [12]\);/), 'the events of a second');
    expect(await watching.stop(), watching.everything).toBe(0);
  });
});

describe('npm run events -- quarantine', () => {
  const ran = async (...args: string[]): Promise<[number | null, string]> => {
    const command = stage.script('command', ['events', 'quarantine', ...args]);
    return [await command.exited, command.everything];
  };
  const put = async (key: string, reason: string, body: Buffer | string, company: string | null = null) => {
    const [row] = await sql<{ id: string }>(
      `INSERT INTO event_quarantine (reason, dedupe_key, source_key, body, company_id) VALUES ($1, $2, $2, $3, $4) RETURNING id`,
      [reason, key, Buffer.from(body), company],
    );
    return row?.id ?? '';
  };
  const good = (message = 'x') => JSON.stringify({ event_type: 'user-app', client_id: 'client-1', message });

  test('lists what has no company, too, its bytes without any effect on a terminal', async () => {
    const none = await put('a', 'invalid_envelope', Buffer.from('\x1b[2J\u202eção\u0085'));
    await put('b', 'invalid_envelope', Buffer.from([0x41, 0xff, 0x0a]));
    const acme = await put('c', 'unknown_event_type', 'x', 'acme');
    const [code, output] = await ran();
    expect([code, output.split('\n').length]).toEqual([0, 5]);
    expect(output).toContain('\\x1b[2J\\u202eção\\x85\n');
    expect(output).toContain('A\\xff\\x0a\n');
    const ids = async (...args: string[]) => (await ran(...args))[1].match(/^\d+/gm);
    expect(await ids('list', '--company', 'none', '--limit', '1')).toEqual([none]);
    expect(await ids('--company', 'acme')).toEqual([acme]);
  });

  test('replays one, once, and says why another stays', async () => {
    const [first, second] = [
      await put('b:1', 'unregistered_tenant', good()),
      await put('b:2', 'invalid_envelope', 'no'),
    ];
    expect(await ran('replay', first)).toEqual([0, expect.stringMatching(/^stored: evt_\d+\n$/)]);
    expect(await ran('replay', first)).toEqual([78, `${first} is replayed or discarded already\n`]);
    expect(await ran('replay', second)).toEqual([75, 'It stays: invalid_envelope body: not JSON\n']);
    expect(await keys('events')).toEqual(['b:1']);
  });

  test('replays all of a reason, over all pages, and leaves those of others', async () => {
    await sql(
      `INSERT INTO event_quarantine (reason, dedupe_key, source_key, body)
         SELECT 'unregistered_tenant', 'b:' || n, n, CASE n % 50 WHEN 0 THEN '\\x00' ELSE convert_to($1, 'UTF8') END
           FROM generate_series(1, 250) AS n`,
      [good()],
    );
    await put('other', 'missing_tenant', good());
    expect(await ran('replay', '--reason', 'unregistered_tenant')).toEqual([75, '245 replayed, 5 stay\n']);
    expect((await keys('events')).length).toBe(245);
    expect(await sql(`SELECT FROM event_quarantine WHERE resolved_at IS NULL AND dedupe_key = 'other'`)).toHaveLength(
      1,
    );
  });

  test('discards one, and says so of one that is not there', async () => {
    const id = await put('a', 'invalid_envelope', 'x');
    expect(await ran('discard', id)).toEqual([0, `${id} discarded\n`]);
    expect(await ran('discard', '999999')).toEqual([78, 'There is no message 999999 in quarantine\n']);
    expect(await ran()).toEqual([0, 'Nothing is in quarantine\n']);
  });
});
