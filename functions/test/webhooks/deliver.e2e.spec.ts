import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Sender, WebhooksStage, webhookId } from './fixtures.js';

let stage: WebhooksStage;
let sender: Sender;

beforeAll(async () => {
  stage = await WebhooksStage.open();
  sender = stage.sender();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

const only = <T>(rows: readonly T[]): T => {
  expect(rows).toHaveLength(1);
  return rows[0] as T;
};
const endpointRow = async (id: string) =>
  only(
    await stage.sql<{
      failures: number;
      open_s: number | null;
      disabled: boolean;
      reason: string | null;
      succeeded: boolean;
    }>(
      `SELECT failures, extract(epoch FROM open_until - clock_timestamp())::float8 AS open_s, disabled_at IS NOT NULL AS disabled,
              disabled_reason AS reason, last_success_at IS NOT NULL AS succeeded
         FROM event_endpoints WHERE id = $1`,
      [id],
    ),
  );

test('what is owed is sent signed, once, and is delivered by a 2xx', async () => {
  const secret = `whsec_${Buffer.from('a key of twenty-four by.').toString('base64')}`;
  const { id, receiver } = await stage.target(() => ({ status: 204 }), { secret });
  const [event = ''] = await stage.store(1, '{"olá":"😀"}');
  expect(await sender.pass()).toEqual({ delivered: 1 });
  const request = only(receiver.requests);
  expect(request.id).toBe(webhookId(event));
  const said = new Webhook(secret).verify(request.body, request.headers as Record<string, string>);
  expect(said).toMatchObject({ type: 'open', data: { id: webhookId(event), message: '{"olá":"😀"}', time: null } });
  expect(only(await stage.deliveries(id))).toMatchObject({ state: 'delivered', attempts: 1 });
  expect(await stage.attempts(id)).toEqual([{ event_id: event, attempt: 1, status: 204, error: null }]);
  expect(await endpointRow(id)).toMatchObject({ failures: 0, succeeded: true });
  expect(await sender.pass()).toEqual({});
  expect(receiver.requests).toHaveLength(1);
});

test('a failure is due again by the table, and eight of them are dead', async () => {
  const { id } = await stage.target(() => ({ status: 500 }));
  await stage.store(1);
  const waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
  for (const [n, wait] of waits.entries()) {
    expect(await sender.pass()).toEqual({ failed: 1 });
    const row = only(await stage.deliveries(id));
    expect(row).toMatchObject({ state: 'due', attempts: n + 1 });
    expect(row.due_in_s).toBeGreaterThan(wait * 0.8 - 2);
    expect(row.due_in_s).toBeLessThan(wait * 1.2);
    await stage.passes(id, '13 hours');
  }
  expect(await sender.pass()).toEqual({ dead: 1 });
  expect(only(await stage.deliveries(id))).toMatchObject({ state: 'dead', attempts: 8 });
  expect((await stage.attempts(id)).map(({ attempt, status }) => [attempt, status])).toEqual(
    Array.from({ length: 8 }, (_, n) => [n + 1, 500]),
  );
});

test('Retry-After of a 503 puts the next attempt off, and no attempt comes before it', async () => {
  const { id } = await stage.target(() => ({ status: 503, headers: { 'retry-after': '600' } }));
  await stage.store(1);
  await sender.pass();
  const { due_in_s } = only(await stage.deliveries(id));
  expect(due_in_s).toBeGreaterThan(595);
  expect(due_in_s).toBeLessThanOrEqual(600);
});

test('a second secret signs too as long as it lives', async () => {
  const { id, receiver } = await stage.target();
  const old = `whsec_${Buffer.from('the old key').toString('base64')}`;
  const change = `UPDATE event_endpoints SET old_secret = $2, old_secret_until = clock_timestamp() + $3::interval WHERE id = $1`;
  for (const life of ['1 hour', '-1 s']) {
    await stage.sql(change, [id, old, life]);
    await stage.store(1);
    await sender.pass();
  }
  const verify = (n: number) => () =>
    new Webhook(old).verify(receiver.requests[n]?.body ?? '', receiver.requests[n]?.headers as Record<string, string>);
  expect(verify(0)).not.toThrow();
  expect(verify(1)).toThrow();
});

describe('a claim that is not sent', () => {
  const claim = async () => only(await sender.repository.claim(20, 16, []));

  test('uses up no attempt and is due at once', async () => {
    const { id } = await stage.target(() => ({ status: 500 }));
    await stage.store(1);
    await sender.repository.release(await claim());
    expect(only(await stage.deliveries(id))).toMatchObject({ state: 'due', attempts: 1, round_from: 1 });
    expect(await sender.pass()).toEqual({ failed: 1 });
    const { due_in_s } = only(await stage.deliveries(id));
    expect(due_in_s).toBeLessThan(7);
  });

  test('is not given back by one whose lease another has taken', async () => {
    const { id } = await stage.target();
    await stage.store(1);
    const first = await claim();
    await stage.passes(id, '31 s');
    await claim();
    await sender.repository.release(first);
    expect(await sender.repository.claim(20, 16, [])).toEqual([]);
    expect(only(await stage.deliveries(id))).toMatchObject({ attempts: 2, round_from: 0 });
  });

  test.each([
    ['disabled', 'UPDATE event_endpoints SET disabled_at = clock_timestamp() WHERE id = $1'],
    ['deleted', 'UPDATE event_endpoints SET deleted = true WHERE id = $1'],
    [
      'delivered by an older claim',
      'UPDATE event_deliveries SET due_at = NULL, delivered_at = clock_timestamp() WHERE endpoint_id = $1',
    ],
    [
      'after its lease',
      `UPDATE event_deliveries SET due_at = clock_timestamp() - interval '1 s' WHERE endpoint_id = $1`,
    ],
  ])('where it was meanwhile: %s', async (_, change) => {
    const { id } = await stage.target();
    await stage.store(1);
    const claimed = await claim();
    expect(await sender.repository.load(claimed)).toMatchObject({ row: 1 });
    await stage.sql(change, [id]);
    expect(await sender.repository.load(claimed)).toBeUndefined();
  });
});

describe('an answer that comes after the lease', () => {
  const ANSWER = { status: 200, error: null, tookMs: 1, response: '', retryAfterMs: null };
  const FAILED = { ok: false, dead: false, waitMs: 5_000, gone: false };
  /** Two claims of one delivery, the first one abandoned. */
  async function twoClaims() {
    const { id } = await stage.target();
    await stage.store(1);
    const [first] = await sender.repository.claim(20, 16, []);
    await stage.passes(id, '31 s');
    const [second] = await sender.repository.claim(20, 16, []);
    if (!first || !second) throw new Error('not claimed');
    return { id, first, second };
  }

  test('counts where it is a success', async () => {
    const { id, first, second } = await twoClaims();
    expect(await sender.repository.settle(first, ANSWER, { ...FAILED, ok: true })).toBe(true);
    expect(await sender.repository.settle(second, { ...ANSWER, status: 500 }, FAILED)).toBe(false);
    expect(only(await stage.deliveries(id))).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(await endpointRow(id)).toMatchObject({ failures: 0 });
  });

  test('is void where it is a failure', async () => {
    const { id, first } = await twoClaims();
    const before = only(await stage.deliveries(id));
    expect(await sender.repository.settle(first, { ...ANSWER, status: 500 }, FAILED)).toBe(false);
    const after = only(await stage.deliveries(id));
    expect({ ...after, due_in_s: 0 }).toEqual({ ...before, due_in_s: 0 });
    expect(after.due_in_s).toBeGreaterThan(20);
    expect(await endpointRow(id)).toMatchObject({ failures: 0 });
  });

  describe('and a member replays what it delivered, while the second claim is under way', () => {
    async function replayed() {
      const { id, first, second } = await twoClaims();
      expect(await sender.repository.load(second)).toMatchObject({ row: 2 });
      expect(await sender.repository.settle(first, ANSWER, { ...FAILED, ok: true })).toBe(true);
      await stage.sql(
        `UPDATE event_deliveries SET due_at = clock_timestamp(), dead_at = NULL, delivered_at = NULL, round_from = attempts
          WHERE endpoint_id = $1 AND due_at IS NULL`,
        [id],
      );
      return { id, second };
    }
    const dueNow = { state: 'due', attempts: 2, round_from: 2 };

    test('which is given back, the round is whole', async () => {
      const { id, second } = await replayed();
      expect(await sender.repository.load(second)).toBeUndefined();
      await sender.repository.release(second);
      expect(only(await stage.deliveries(id))).toMatchObject(dueNow);
      const third = only(await sender.repository.claim(20, 16, []));
      expect(await sender.repository.load(third)).toMatchObject({ row: 1 });
    });

    test('whose failure, the last of the round before, ends nothing', async () => {
      const { id, second } = await replayed();
      expect(await sender.repository.settle(second, { ...ANSWER, status: 500 }, { ...FAILED, dead: true })).toBe(false);
      expect(only(await stage.deliveries(id))).toMatchObject(dueNow);
      expect(await endpointRow(id)).toMatchObject({ failures: 0 });
    });
  });

  test('is logged once, and a failure that is said twice counts once', async () => {
    const { id, second } = await twoClaims();
    const said = () => sender.repository.settle(second, { ...ANSWER, status: 500 }, FAILED);
    expect([await said(), await said()]).toEqual([true, false]);
    expect(await endpointRow(id)).toMatchObject({ failures: 1 });
    expect(await stage.attempts(id)).toHaveLength(1);
  });
});

describe('the breaker', () => {
  test('opens by five failures in a row, and what was in flight counts once', async () => {
    const { id, receiver } = await stage.target(() => ({ status: 500 }));
    await stage.store(40);
    await sender.pass();
    const row = await endpointRow(id);
    expect(row.failures).toBe(5);
    expect(row.open_s).toBeGreaterThan(25);
    expect(row.open_s).toBeLessThanOrEqual(30);
    // A claim takes sixteen at most, and two may be under way.
    expect(receiver.requests.length).toBeLessThanOrEqual(32);
    expect((await stage.deliveries(id)).filter(({ attempts }) => attempts === 0).length).toBeGreaterThanOrEqual(8);
  });

  test('lets one probe through, and its failure doubles the wait, up to ten minutes', async () => {
    const { id, receiver } = await stage.target(() => ({ status: 500 }));
    await stage.store(20);
    await sender.pass();
    for (const wait of [60, 120, 240, 480, 600, 600]) {
      await stage.passes(id, '11 minutes');
      const before = receiver.requests.length;
      expect(await sender.pass()).toEqual({ failed: 1 });
      expect(receiver.requests.length - before).toBe(1);
      const { open_s } = await endpointRow(id);
      expect(open_s).toBeGreaterThan(wait - 5);
      expect(open_s).toBeLessThanOrEqual(wait);
    }
  });

  test('is closed by a success, and all goes out', async () => {
    const { id, receiver } = await stage.target(() => ({ status: 500 }));
    await stage.store(20);
    await sender.pass();
    receiver.answer = () => ({});
    await stage.passes(id, '11 minutes');
    expect(await sender.pass()).toEqual({ delivered: 20 });
    expect(await endpointRow(id)).toMatchObject({ failures: 0, open_s: null });
  });

  test('lets no second probe through while one is under way', async () => {
    const { id } = await stage.target(() => ({ status: 500 }));
    await stage.store(20);
    await sender.pass();
    await stage.passes(id, '11 minutes');
    expect(await sender.repository.claim(20, 16, [])).toHaveLength(1);
    expect(await sender.repository.claim(20, 16, [])).toEqual([]);
    await stage.passes(id, '31 s');
    expect(await sender.repository.claim(20, 16, [])).toHaveLength(1);
  });
});

describe('an endpoint is disabled', () => {
  test('by 410, with a line, and what is owed waits until it is enabled', async () => {
    const { id, receiver } = await stage.target(() => ({ status: 410 }), { ratePerS: 1 });
    await stage.store(3);
    const [version] = await stage.sql('SELECT version FROM event_registry');
    await sender.pass();
    expect(await endpointRow(id)).toMatchObject({ disabled: true, reason: 'gone' });
    expect(sender.lines.filter(({ fields }) => fields.endpoint_id === id && fields.reason === 'gone')).toEqual([
      {
        level: 'warn',
        fields: { endpoint_id: id, company_id: stage.events.acme, reason: 'gone' },
        sentence: 'an endpoint is disabled: it answered 410',
      },
    ]);
    expect(await stage.sql('SELECT version FROM event_registry')).toEqual([version]);
    const sent = receiver.requests.length;
    expect(sent).toBeLessThan(3);
    await stage.passes(id, '1 hour');
    expect(await sender.pass()).toEqual({});
    await stage.sql(
      'UPDATE event_endpoints SET disabled_at = NULL, disabled_reason = NULL, failures = 0 WHERE id = $1',
      [id],
    );
    receiver.answer = () => ({});
    expect(await sender.pass()).toEqual({ delivered: 3 });
    expect((await stage.deliveries(id)).every(({ attempts, round_from }) => attempts - round_from <= 2)).toBe(true);
  });

  test('but not by an answer to what was sent before it was changed or enabled', async () => {
    const { id, receiver } = await stage.target();
    await stage.store(1);
    const [claim] = await sender.repository.claim(20, 16, []);
    if (!claim) throw new Error('not claimed');
    const goneAt = (url: string) => sender.repository.disable(claim, url, 'gone');
    expect(await goneAt('http://127.0.0.1:1/')).toBeUndefined();
    await stage.sql('UPDATE event_endpoints SET enabled_at = clock_timestamp() WHERE id = $1', [id]);
    expect(await goneAt(receiver.url)).toBeUndefined();
    await stage.passes(id, '1 minute');
    expect(await goneAt(receiver.url)).toBe(stage.events.acme);
    expect(await goneAt(receiver.url)).toBeUndefined();
  });

  test('by five days of failures in a row, with a line', async () => {
    const { id } = await stage.target(() => ({ status: 500 }));
    await stage.store(20);
    await sender.pass();
    await stage.passes(id, '4 days 23 hours');
    await sender.pass();
    expect(await endpointRow(id)).toMatchObject({ disabled: false });
    await stage.passes(id, '2 hours');
    await sender.pass();
    expect(await endpointRow(id)).toMatchObject({ disabled: true, reason: 'failing' });
    const lines = sender.lines.filter(({ fields }) => fields.endpoint_id === id && fields.reason === 'failing');
    expect(lines.map(({ level }) => level)).toEqual(['warn']);
  });

  test('but not by failures of now after an idle week', async () => {
    const { id, receiver } = await stage.target();
    await stage.store(1);
    await sender.pass();
    await stage.passes(id, '7 days');
    receiver.answer = () => ({ status: 500 });
    await stage.store(10);
    await sender.pass();
    expect(await endpointRow(id)).toMatchObject({ disabled: false, failures: 5 });
  });
});
