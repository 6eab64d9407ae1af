import { eventsQueue } from '@disparo/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { heldOn } from './held.js';
import { addType, changed, envelope, someTenant, storedEvents, type Tenant } from './tenants.js';

let stage: ApiStage;
let owner: TestUser;
let stranger: TestUser;
let acme: Tenant;
/** An event of the type without a schema. */
let note: Record<string, unknown>;

beforeAll(async () => {
  stage = await ApiStage.open();
  [owner, stranger] = [await stage.user(), await stage.user()];
});
beforeEach(async () => {
  acme = await someTenant(stage, owner);
  note = envelope(acme, { event_type: 'note', message: 'x', id: '1' });
});
afterAll(() => stage?.close());

/** Outcomes that the server has counted so far. */
async function counted(): Promise<Map<string, number>> {
  const { body } = await stage.api<string>('GET', '/metrics');
  const lines = body.matchAll(/^disparo_events_total\{outcome="(\w+)",reason="(\w*)"\} (\d+)$/gm);
  return new Map([...lines].map(([, outcome, reason, count]) => [reason || (outcome ?? ''), Number(count)]));
}

/** Brings a message over the queue. Resolves with what became of it. */
async function delivered(body: object | string, messageId = 'm-1'): Promise<string> {
  const before = await counted();
  const queue = eventsQueue(stage.env.QUEUE_PREFIX);
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  stage.stores.channel.publish(queue, queue, bytes, { messageId, persistent: true });
  await stage.stores.channel.waitForConfirms();
  return stage.until(async () => {
    const [one] = [...(await counted())].find(([outcome, count]) => count !== before.get(outcome)) ?? [];
    return one;
  }, 'it is settled');
}

interface Row {
  id: string;
  company_id: string | null;
  reason: string;
  detail: string;
  resolution: string | null;
  event_id: string | null;
  received_at: Date;
}

/** What is in quarantine for the client. */
const quarantine = (client = acme.client): Promise<Row[]> =>
  stage.sql<Row>(
    `SELECT id, company_id, reason, detail, resolution, event_id, received_at FROM event_quarantine
      WHERE client_id = $1 ORDER BY id`,
    [client],
  );
const member = (method: string, path: string, body?: unknown): Promise<Answer> =>
  stage.api(method, `/api/events${path}`, { token: owner.token, body });
const send = (body: object, token = owner.token): Promise<Answer> => stage.api('POST', '/api/events', { token, body });
const told = ({ status, body }: Answer) => [status, body];
const coded = ({ status, body }: Answer) => [status, body.code];
const idOf = async () => `evt_${(await storedEvents(stage, acme))[0]?.id}`;

const INTEGER = { type: 'integer' };
const refusedNow: [string, string, () => Promise<unknown>][] = [
  ['its newer schema refuses it', 'invalid_payload', () => addType(stage, acme.company, 'note', 2, INTEGER)],
  ['its type is deleted', 'unknown_event_type', () => member('DELETE', `/types/note?company_id=${acme.company.id}`)],
  ['its client is deleted', 'unregistered_tenant', () => member('DELETE', `/clients/${acme.client}`)],
];

describe('what was stored before is a duplicate when it comes again', () => {
  test('after a newer version of its type was registered', async () => {
    expect(await delivered(note)).toBe('stored');
    await addType(stage, acme.company, 'note', 2);
    expect(await delivered(note)).toBe('duplicate');
    expect(told(await send(note))).toEqual([200, { id: await idOf(), outcome: 'duplicate' }]);
    expect([await quarantine(), (await storedEvents(stage, acme)).length]).toEqual([[], 1]);
  });

  test('but not as another type with the same message', async () => {
    await addType(stage, acme.company, 'memo', 1);
    expect(await delivered(note)).toBe('stored');
    expect(await delivered({ ...note, event_type: 'memo' })).toBe('conflicting_duplicate');
    expect(coded(await send({ ...note, event_type: 'memo' }))).toEqual([409, 'EVENT.CONFLICT']);
  });

  test.each(refusedNow)('though %s', async (_, reason, change) => {
    expect(await delivered(note)).toBe('stored');
    await change();
    expect(await delivered(note)).toBe('duplicate');
    expect(told(await send(note))).toEqual([200, { id: await idOf(), outcome: 'duplicate' }]);
    expect([await quarantine(), (await storedEvents(stage, acme)).length]).toEqual([[], 1]);
    expect(await delivered({ ...note, message: 'y' })).toBe(reason);
    expect(await delivered({ ...note, event_type: 'user-app' })).not.toBe('duplicate');
    expect(await quarantine()).toMatchObject([{ reason }, {}]);
  });

  test('though the store itself refuses it now', async () => {
    expect(await delivered(note)).toBe('stored');
    await stage.sql(`ALTER TABLE events ADD CONSTRAINT no_x CHECK (message <> 'x') NOT VALID`);
    const outcome = await delivered(note).finally(() => stage.sql('ALTER TABLE events DROP CONSTRAINT no_x'));
    expect([outcome, await quarantine()]).toEqual(['duplicate', []]);
  });

  test('within one list over HTTP, too', async () => {
    await addType(stage, acme.company, 'note', 2, INTEGER);
    const { body } = await send({ events: [note, { ...note, version: 1 }] });
    expect(body.results).toMatchObject([
      { index: 0, outcome: 'duplicate', id: await idOf() },
      { index: 1, outcome: 'stored', id: await idOf() },
    ]);
  });

  test('unless retention deletes it meanwhile: then it is an event anew, and told as stored', async () => {
    expect(await delivered(note)).toBe('stored');
    const next = { ...note, id: '2' };
    // The list meets the first, and waits for the second, of which another transaction has the key.
    const holding = `INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message)
      SELECT company_id, client_id, type_id, 'p:2', content, message FROM events WHERE client_id = $1`;
    const { status, body } = await heldOn(stage, [[holding, [acme.client]]], 1, () => send({ events: [note, next] }), [
      [`DELETE FROM events WHERE client_id = $1 AND dedupe_key = 'p:1'`, [acme.client]],
    ]);
    const [second, first] = await storedEvents(stage, acme);
    expect([status, body.results]).toEqual([
      200,
      [
        { index: 0, outcome: 'stored', id: `evt_${first?.id}` },
        { index: 1, outcome: 'duplicate', id: `evt_${second?.id}` },
      ],
    ]);
  });

  test.each(refusedNow)('and a stranger hears nothing of it, though %s', async (_, __, change) => {
    expect(await delivered(note)).toBe('stored');
    const unknown = [404, 'EVENT.UNREGISTERED_TENANT'];
    expect(coded(await send(note, stranger.token))).toEqual(unknown);
    await change();
    expect(coded(await send(note, stranger.token))).toEqual(unknown);
    const { body } = await send({ events: [note] }, stranger.token);
    expect(body.results).toEqual([{ index: 0, outcome: 'rejected', reason: 'unregistered_tenant' }]);
  });
});

describe('what is in quarantine and comes again', () => {
  const order = () => envelope(acme, { event_type: 'order', message: { n: 1 } });
  const only = async (): Promise<Row> => {
    const [row, ...more] = await quarantine();
    expect(more).toEqual([]);
    if (!row) throw new Error('nothing is in quarantine');
    return row;
  };
  const end = async (how: 'replay' | 'discard', body?: object) =>
    member('POST', `/quarantine/${(await only()).id}/${how}`, body && { body });

  test('is the same row, which has waited since it came first', async () => {
    await delivered(order());
    const first = await only();
    expect(await delivered(order())).toBe('unknown_event_type');
    expect(await only()).toEqual(first);
  });

  test('is open again where it was discarded, since it came again', async () => {
    await delivered(order());
    const first = await only();
    await end('discard');
    // As docs/security.md says for personal data.
    await stage.sql(`UPDATE event_quarantine SET body = '' WHERE id = $1 AND resolved_at IS NOT NULL`, [first.id]);
    expect(await delivered(order())).toBe('unknown_event_type');
    const again = await only();
    expect(again).toEqual({ ...first, received_at: expect.any(Date) });
    expect(again.received_at.getTime()).toBeGreaterThan(first.received_at.getTime());
    await addType(stage, acme.company, 'order', 1);
    expect((await end('replay')).body).toMatchObject({ outcome: 'stored' });
  });

  test('is a duplicate of the event that its replay has stored', async () => {
    await delivered(order());
    await addType(stage, acme.company, 'order', 1);
    await end('replay');
    const replayed = await only();
    expect(await delivered(order())).toBe('duplicate');
    expect([await only(), (await storedEvents(stage, acme)).length]).toEqual([replayed, 1]);
  });

  test('is a duplicate of the event that a corrected body has become, under another id, too', async () => {
    await delivered(order());
    await end('replay', note);
    const replayed = await only();
    expect(await delivered(order())).toBe('duplicate');
    expect(await only()).toEqual(replayed);
    expect(await storedEvents(stage, acme)).toMatchObject([{ id: replayed.event_id, dedupe_key: 'p:1' }]);
  });

  test('as a conflict is open again after it was discarded, and a duplicate after it has another id', async () => {
    await delivered(note);
    const other = { ...note, message: 'y' };
    expect(await delivered(other)).toBe('conflicting_duplicate');
    await end('discard');
    expect(await delivered(other)).toBe('conflicting_duplicate');
    expect(await only()).toMatchObject({ reason: 'conflicting_duplicate', resolution: null });
    expect((await end('replay', { ...other, id: '2' })).body).toMatchObject({ outcome: 'stored' });
    expect(await delivered(other)).toBe('duplicate');
    expect(await only()).toMatchObject({ resolution: 'replayed' });
  });

  test('is shown to the company of which its client is by now, for the reason of now', async () => {
    const client = `${acme.client}-new`;
    const early = { ...order(), client_id: client };
    expect(await delivered(early)).toBe('unregistered_tenant');
    expect(await quarantine(client)).toMatchObject([{ company_id: null, reason: 'unregistered_tenant' }]);
    await stage.sql('INSERT INTO event_clients (client_id, company_id) VALUES ($1, $2)', [client, acme.company.id]);
    await changed(stage);
    expect(await delivered(early)).toBe('unknown_event_type');
    const { body } = await member('GET', `/quarantine?company_id=${acme.company.id}`);
    expect(body.data).toMatchObject([{ client_id: client, reason: 'unknown_event_type', detail: 'order' }]);
  });

  test('stays with its company after its client was deleted', async () => {
    await delivered(order());
    await member('DELETE', `/clients/${acme.client}`);
    expect(await delivered(order())).toBe('unregistered_tenant');
    expect(await only()).toMatchObject({ company_id: acme.company.id, reason: 'unregistered_tenant', detail: '' });
  });
});
