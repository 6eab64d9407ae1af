import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Process } from '../../../testing/process.js';
import { until } from '../../../testing/until.js';
import { EventsStage, envelope } from './fixtures.js';

let stage: EventsStage;
let processor: Process;

beforeAll(async () => {
  stage = await EventsStage.open();
  processor = stage.processor();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

interface Settled {
  msg: string;
  stored: number;
  duplicate: number;
  quarantined: Record<string, number>;
}

/** How many messages a processor has settled, as its log says. */
function settledBy({ output }: Process): number {
  const lines = output.map((line) => JSON.parse(line) as Settled).filter(({ msg }) => msg === 'events settled');
  return lines.reduce(
    (sum, { stored, duplicate, quarantined }) =>
      sum + stored + duplicate + Object.values(quarantined).reduce((all, count) => all + count, 0),
    0,
  );
}

test('an event of each form is a row, its text as it was sent', async () => {
  await stage.publishAll([
    '{"event_type": "user-app", "client_id": "client-1", "message": {"user": 12345678901234567890}, "id": "a"}',
    { event_type: 'user-app', client_id: 'client-1', message: ' {"user": 1}', id: 'b' },
    '\ufeff{"event_type":"open","client_id":"client-2","message":"Olá, ção 😀","id":"c","colour":1}',
    { specversion: '1.0', type: 'open', subject: 'client-2', source: '/x', id: 'd', data: ['x'] },
  ]);
  await stage.untilCounts(4, 0);
  const of = (client_id: string, type: string, key: string, message: string) => ({
    client_id,
    type,
    version: 1,
    dedupe_key: `p:${key}`,
    message,
  });
  expect((await stage.events()).sort((a, b) => (a.dedupe_key < b.dedupe_key ? -1 : 1))).toEqual([
    of('client-1', 'user-app', 'a', '{"user":12345678901234567890}'),
    of('client-1', 'user-app', 'b', ' {"user": 1}'),
    of('client-2', 'open', 'c', 'Olá, ção 😀'),
    of('client-2', 'open', 'd', '["x"]'),
  ]);
});

describe('what is no event is kept byte for byte, with its reason', () => {
  const json = (over: object) => Buffer.from(JSON.stringify(envelope({ id: 'k', ...over })));
  test.each<[string, Buffer, string, string, 'acme' | null]>([
    ['no JSON', Buffer.from("Hello, I'm a bad message"), 'invalid_envelope', 'body: not JSON', null],
    ['no body', Buffer.alloc(0), 'invalid_envelope', 'body: empty', null],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x00, 0x7b]), 'invalid_envelope', 'body: not UTF-8', null],
    ['a megabyte', Buffer.alloc(1_048_576, '{'), 'invalid_envelope', 'size: over 256 KiB', null],
    ['no tenant', json({ client_id: undefined }), 'missing_tenant', '', null],
    ['an unknown tenant', json({ client_id: 'nobody' }), 'unregistered_tenant', '', null],
    ['an unknown type', json({ event_type: 'colour' }), 'unknown_event_type', 'colour', 'acme'],
    ['another company’s type', json({ client_id: 'client-2' }), 'unknown_event_type', 'user-app', null],
    ['a payload against its schema', json({ message: { user: 'x' } }), 'invalid_payload', '/user type', 'acme'],
  ])('%s', async (_, body, reason, detail, company) => {
    await stage.publish(body, { messageId: 'm' });
    await stage.untilCounts(0, 1);
    const [row] = await stage.quarantine();
    expect([row?.reason, row?.detail, row?.body.equals(body)]).toEqual([reason, detail, true]);
    if (company === 'acme') expect(row?.company_id).toBe(stage.acme);
    await stage.untilDrained();
    expect(await stage.counts()).toEqual({ events: 0, quarantine: 1 });
  });
});

describe('a message that comes again', () => {
  const body = { event_type: 'open', client_id: 'client-1', message: 'x' };
  /** Waits until all that was published so far is settled: batches of two lanes end in any order. */
  const settled = async (events: number, quarantine = 0) => {
    await until(() => expect(settledBy(processor)).toBe(stage.published));
    expect(await stage.counts()).toEqual({ events, quarantine });
  };

  test('is one event by the id of its producer, whatever the broker calls it', async () => {
    await stage.publish({ ...body, id: '1' }, { messageId: 'a' });
    await stage.publish({ ...body, id: '1' }, { messageId: 'b' });
    await settled(1);
  });

  test('is one event by the id of the broker', async () => {
    await stage.publish(body, { messageId: 'a' });
    await stage.publish(body, { messageId: 'a' });
    await stage.publish(body, { messageId: 'b' });
    await settled(2);
  });

  test('is one event by body and time where nobody gave an id', async () => {
    await stage.publish(body);
    await stage.publish(body);
    await stage.publish(body, { timestamp: 1 });
    await stage.publish(body, { timestamp: 2 });
    await settled(3);
  });

  test('with other content leaves the first as it is, and is in quarantine once', async () => {
    await stage.publish({ ...body, id: '1' });
    await stage.untilCounts(1, 0);
    await stage.publish({ ...body, id: '1', message: 'y' });
    await stage.publish({ ...body, id: '1', message: 'y' });
    await settled(1, 1);
    const [event] = await stage.events();
    const [conflict] = await stage.quarantine();
    expect([event?.message, conflict?.reason, conflict?.dedupe_key]).toEqual(['x', 'conflicting_duplicate', 'p:1']);
  });

  test('in quarantine is one row, also when it comes ten times in one batch', async () => {
    await stage.publishAll(Array<string>(10).fill('bad'), { messageId: 'a' });
    await settled(0, 1);
  });

  test('of two clients with one id is an event of each', async () => {
    await stage.publish({ ...body, id: '1' });
    await stage.publish({ ...body, id: '1', client_id: 'client-2' });
    await settled(2);
  });
});

test('who is registered after the processor began is known at once', async () => {
  await stage.publish(envelope());
  await stage.untilCounts(1, 0);
  await stage.register(stage.globex, ['client-3'], [{ name: 'new' }]);
  await stage.publish({ event_type: 'new', client_id: 'client-3', message: 'x' });
  await stage.untilCounts(2, 0);
});

test('a deleted client gets nothing more', async () => {
  await stage.register(stage.acme, ['leaver']);
  await stage.publish({ event_type: 'open', client_id: 'leaver', message: 'x' });
  await stage.untilCounts(1, 0);
  await stage.sql(`UPDATE event_clients SET deleted = true WHERE client_id = 'leaver'`);
  await stage.raise();
  await stage.publish({ event_type: 'open', client_id: 'leaver', message: 'y' });
  await stage.untilCounts(1, 1);
  expect(await stage.quarantine()).toMatchObject([{ reason: 'unregistered_tenant', client_id: 'leaver' }]);
});

test('a row that the store refuses goes into quarantine alone, its neighbours are stored', async () => {
  await stage.sql(`ALTER TABLE events ADD CONSTRAINT no_poison CHECK (message <> 'poison')`);
  try {
    const bodies = Array.from({ length: 200 }, (_, n) =>
      envelope({ event_type: 'open', message: n % 50 === 7 ? 'poison' : `x${n}` }),
    );
    await stage.publishAll(bodies);
    await stage.untilCounts(196, 4);
    expect(new Set((await stage.quarantine()).map(({ reason, detail }) => `${reason} ${detail}`))).toEqual(
      new Set(['invalid_payload refused_by_store:23514']),
    );
  } finally {
    await stage.sql('ALTER TABLE events DROP CONSTRAINT no_poison');
  }
});

test('nothing of a message is in a log', async () => {
  await stage.publish({ event_type: 'segredo-tipo!', client_id: 'client-1', message: 'segredo-texto' });
  await stage.publish('segredo-corpo');
  await stage.untilCounts(0, 2);
  await until(() => {
    if (!processor.output.join('\n').includes('"invalid_envelope":1')) throw new Error('not reported yet');
  });
  expect(processor.output.join('\n')).not.toContain('segredo');
});
