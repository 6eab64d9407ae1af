import { MESSAGES } from '@disparo/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { languageUnderTest } from '../runner/languages.js';
import { allNumbers, phoneNumber, Stage, TRACEPARENT } from '../runner/stage.js';
import { PATIENCE_MS } from '../runner/until.js';

describe('what comes from the queue is stored once, in order', { timeout: 2 * PATIENCE_MS }, () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open({ declared: false });
  }, PATIENCE_MS);
  afterEach(() => stage.close(), PATIENCE_MS);

  /** The consumer itself makes the topology. */
  async function receiving(env: Record<string, string> = {}) {
    const consumer = stage.start(env);
    await consumer.untilSaid('receiving');
    return consumer;
  }

  it('creates exchanges, queues and the collection on an empty broker and store', async () => {
    await receiving();
    expect(await stage.ready()).toBe(0);
    expect(await stage.ready(stage.names.deadLetterQueue)).toBe(0);
    await stage.channel.checkExchange(stage.names.exchange);
    await stage.channel.checkExchange(stage.names.deadLetterExchange);
    const [collection] = await stage.mongo.db().listCollections({ name: MESSAGES }).toArray();
    expect(collection).toMatchObject({ options: { validator: { $jsonSchema: expect.any(Object) } } });
  });

  it('makes five numbers five documents with all their fields, and the campaign enviado', async () => {
    const before = new Date();
    const consumer = await receiving();
    const { id, companyId, chunks } = await stage.campaign(5);
    await stage.publish(chunks);
    await stage.untilStatus(id, 'enviado');

    const documents = await stage.messages.find().sort({ _id: 1 }).toArray();
    expect(documents).toEqual(
      [1, 2, 3, 4, 5].map((sequence) => ({
        _id: `${id}:00000000${sequence}`,
        identifier: expect.stringMatching(/^[a-z][a-z0-9]{23}$/),
        phone_number: phoneNumber(sequence),
        message: chunks[0]?.message,
        campaign_id: id,
        company_id: companyId,
        sequence,
        created_at: expect.any(Date),
        updated_at: documents[0]?.created_at,
        deleted: false,
      })),
    );
    expect(new Set(documents.map(({ identifier }) => identifier)).size).toBe(5);
    expect(documents[0]?.created_at.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(await stage.messages.countDocuments({ sequence: { $type: 'int' } })).toBe(5);

    await consumer.untilSaid('batch settled');
    const ms = expect.any(Number);
    expect(consumer.said('batch settled')).toEqual([
      expect.objectContaining({
        name: `consumer-${languageUnderTest()}`,
        queue: stage.names.queue(0),
        messages: 1,
        stored: 5,
        repeated: 0,
        let_go: 0,
        dead: 0,
        campaigns: [{ id, status: 'enviado', stored: 5, total: 5 }],
        gather_ms: ms,
        admit_ms: ms,
        store_ms: ms,
        record_ms: ms,
        settle_ms: ms,
        traceparents: [TRACEPARENT],
      }),
    ]);
    expect(consumer.everything).not.toContain(phoneNumber(1));
    expect(consumer.everything).not.toContain(chunks[0]?.message);
  });

  it('stores 1,203 numbers in chunks of 7, whatever the batches', async () => {
    const consumer = await receiving({ PREFETCH: '9' });
    const { id, chunks } = await stage.campaign(1_203, 7);
    await stage.publish(chunks);
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(1_203));
    expect(await stage.count()).toBe(1_203);
    for (const line of consumer.said('batch settled')) expect(line.messages).toBeLessThanOrEqual(9);
  });

  it('takes at most 10,000 numbers in a batch', async () => {
    const { id, chunks } = await stage.campaign(25_000, 4_000);
    await (await receiving()).kill();
    await stage.publish(chunks);
    const consumer = await receiving();
    await stage.untilStatus(id, 'enviado');
    await consumer.untilSaid('batch settled');
    for (const line of consumer.said('batch settled')) expect(line.stored).toBeLessThanOrEqual(10_000);
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(25_000));
  });

  it('stores the same chunk once when it is delivered three times, in one batch or later', async () => {
    const { id, chunks } = await stage.campaign(10, 5);
    await (await receiving()).kill();
    await stage.publish([...chunks, ...chunks]);
    const consumer = await receiving();
    await stage.untilStatus(id, 'enviado');
    await stage.publish(chunks);
    await expect.poll(() => consumer.sum('messages'), { timeout: PATIENCE_MS }).toBe(6);
    expect({ stored: consumer.sum('stored'), repeated: consumer.sum('repeated') }).toEqual({ stored: 10, repeated: 4 });
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(10));
    expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: 10, chunks: 2 });
  });

  it('counts documents that were there already as stored', async () => {
    const consumer = await receiving();
    const { id, chunks } = await stage.campaign(5);
    await stage.publish(chunks);
    await stage.untilStatus(id, 'enviado');
    // As a crash between steps 4 and 5 leaves it.
    await stage.pool.query('UPDATE campaigns SET stored = 0 WHERE id = $1', [id]);
    await stage.pool.query('UPDATE campaign_chunks SET stored_at = NULL WHERE campaign_id = $1', [id]);
    await stage.publish(chunks);
    await stage.untilStatus(id, 'enviado');
    await expect.poll(() => consumer.sum('repeated'), { timeout: PATIENCE_MS }).toBe(5);
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(5));
  });

  it.each([
    ['paused', 'paused_at = now()', 'pausado'],
    ['cancelled', 'cancelled_at = now()', 'cancelado'],
    ['deleted', 'deleted = true', 'enfileirado'],
  ])('lets the chunks of a %s campaign go and stores nothing', async (_name, change, status) => {
    const consumer = await receiving();
    const { id, chunks } = await stage.campaign(10, 5);
    await stage.pool.query(`UPDATE campaigns SET ${change} WHERE id = $1`, [id]);
    await stage.publish(chunks);
    await expect.poll(() => consumer.sum('let_go'), { timeout: PATIENCE_MS }).toBe(2);
    expect(await stage.count()).toBe(0);
    expect(await stage.ledger(id)).toEqual({ status, stored: 0, chunks: 0 });
  });

  it('takes every partition, and order holds within a campaign', async () => {
    await stage.close();
    stage = await Stage.open({ partitions: 3 });
    await receiving({ PREFETCH: '6' });
    const campaigns = [await stage.campaign(300, 10), await stage.campaign(300, 10), await stage.campaign(300, 10)];
    await Promise.all(campaigns.map(({ chunks }, partition) => stage.publish(chunks, partition)));
    for (const { id } of campaigns) {
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(300));
    }
  });

  it('takes only the partitions of CONSUMER_PARTITIONS', async () => {
    await stage.close();
    stage = await Stage.open({ partitions: 2 });
    const [mine, other] = [await stage.campaign(5), await stage.campaign(5)];
    await stage.publish(mine.chunks, 1);
    await stage.publish(other.chunks, 0);
    await receiving({ CONSUMER_PARTITIONS: '1' });
    await stage.untilStatus(mine.id, 'enviado');
    expect(await stage.ready(stage.names.queue(0))).toBe(1);
    expect((await stage.ledger(other.id)).status).toBe('enfileirado');
  });
});
