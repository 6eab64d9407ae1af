import { readdirSync, readFileSync } from 'node:fs';
import { type Chunk, messageId } from '@disparo/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { allNumbers, Stage, TRACEPARENT } from '../runner/stage.js';
import { PATIENCE_MS, until } from '../runner/until.js';

const VALID = new URL('../../contract/examples/valid/', import.meta.url);

describe('what the queue brings, and in which order', { timeout: 2 * PATIENCE_MS }, () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open();
  }, PATIENCE_MS);
  afterEach(() => stage.close(), PATIENCE_MS);

  it.each(readdirSync(VALID))('stores the valid example %s as it is written', async (file) => {
    const body = readFileSync(new URL(file, VALID));
    const chunk = JSON.parse(body.toString('utf8')) as Chunk;
    const { campaign_id: id, company_id: companyId, first_sequence: first, phone_numbers: numbers } = chunk;
    await stage.seed({ id, companyId, chunks: [chunk] }, chunk.message, numbers.length);
    stage.start();
    await stage.publishRaw(body, { contentType: 'application/json', headers: { traceparent: TRACEPARENT } });
    await stage.untilStatus(id, 'enviado');
    const documents = await stage.messages.find().sort({ _id: 1 }).toArray();
    expect(documents).toEqual(
      numbers.map((phone_number, index) => ({
        _id: messageId(id, first + index),
        identifier: expect.any(String),
        phone_number,
        message: chunk.message,
        campaign_id: id,
        company_id: companyId,
        sequence: first + index,
        created_at: expect.any(Date),
        updated_at: expect.any(Date),
        deleted: false,
      })),
    );
  });

  it.each([
    ['emoji, flags and joined ones', 'Olá 👨‍👩‍👧‍👦 🇧🇷 🎉 é e\u0301'],
    ['quotes, backslashes and line ends', `"aspas" 'simples' \\ \\n \n\r\n\t \u2028 </script> \${x} %s {{nome}}`],
    ['1,600 letters', 'ã'.repeat(1_600)],
    ['1,600 emoji, which are 3,200 UTF-16 units', '🎉'.repeat(1_600)],
    ['control characters other than NUL', '\u0001\u0007\u001b[31m\u007f\ufeff'],
  ])('keeps a text to the last byte: %s', async (_name, text) => {
    const { id, chunks } = await stage.campaign(7, 3, text);
    stage.start();
    await stage.publish(chunks);
    await stage.untilStatus(id, 'enviado');
    expect(await stage.messages.distinct('message')).toEqual([text]);
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(7));
  });

  it.each([
    [1, 1_203],
    [5_000, 1_203],
    [5_000, 12_003],
  ])('stores chunks of %i until %i numbers are there', async (size, total) => {
    const { id, chunks } = await stage.campaign(total, size);
    stage.start();
    await stage.publish(chunks);
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
    expect(await stage.count()).toBe(total);
  });

  it('gives every number its own sequence when the chunks come in the wrong order', async () => {
    const { id, chunks } = await stage.campaign(1_203, 7);
    const [odd, even] = [1, 0].map((rest) => chunks.filter((_, index) => index % 2 === rest));
    stage.start({ PREFETCH: '9' });
    await stage.publish([...(odd ?? [])].reverse());
    await stage.publish(even ?? []);
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(1_203));
    expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: 1_203, chunks: chunks.length });
    expect(await stage.messages.countDocuments({ sequence: { $type: 'int' } })).toBe(1_203);
  });

  it('keeps two interleaved campaigns apart, each in order and with its own text', async () => {
    const [one, two] = [await stage.campaign(1_203, 7), await stage.campaign(901, 4)];
    const longer = Math.max(one.chunks.length, two.chunks.length);
    const mixed = Array.from({ length: longer }, (_, at) => [one.chunks[at], two.chunks[at]]).flat();
    const consumer = stage.start({ PREFETCH: '9' });
    await stage.publish(mixed.filter((chunk) => chunk !== undefined));
    for (const { id, companyId, total, chunks } of [
      { ...one, total: 1_203 },
      { ...two, total: 901 },
    ]) {
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
      expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: total, chunks: chunks.length });
      const own = { campaign_id: id, company_id: companyId, message: chunks[0]?.message ?? '' };
      expect(await stage.messages.countDocuments(own)).toBe(total);
    }
    expect(await stage.count()).toBe(1_203 + 901);
    await until(() => expect(consumer.sum('stored')).toBe(1_203 + 901));
    const both = consumer.said('batch settled').filter(({ campaigns }) => (campaigns as unknown[]).length === 2);
    expect(both.length, 'batches of both campaigns').toBeGreaterThan(0);
  });

  it('holds no more than PREFETCH messages, as the broker counts them', async () => {
    const campaign = await stage.campaign(100, 5);
    const lock = await stage.pool.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [campaign.id]);
    await stage.publish(campaign.chunks);
    stage.start({ PREFETCH: '7' });
    // A batch stands in step 5 and nothing is acknowledged: what is not ready is what the consumer holds.
    await until(async () => {
      const { rowCount } = await stage.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(rowCount).toBe(1);
    });
    await until(async () => expect(await stage.ready()).toBe(20 - 7));
    await stage.publish(campaign.chunks.slice(0, 5));
    expect(await stage.ready()).toBe(20 - 7 + 5);
    await lock.query('COMMIT');
    lock.release();
    await stage.untilStatus(campaign.id, 'enviado');
    await until(async () => expect(await stage.ready()).toBe(0));
    expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(100));
  });
});
