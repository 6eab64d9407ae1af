import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phoneNumber } from '../../testing/seeds.js';
import type { Stage } from '../../testing/stage.js';
import { openStage } from '../campaign.js';
import { measureNaive } from '../measure/naive.js';

describe('the naive pair', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  it.each(['each', 'end'] as const)('stores every number once, in order, confirms awaited %s', async (confirm) => {
    const measured = await measureNaive(stage, 50, confirm);
    expect(measured).toMatchObject({ numbers: 50, publishS: expect.any(Number), drainS: expect.any(Number) });
    const messages = stage.mongo.collection('naive_messages');
    const stored = await messages.find({}, { sort: { _id: 1 } }).toArray();
    expect(stored.map((document) => document.phone_number)).toEqual(
      Array.from({ length: 50 }, (_, index) => phoneNumber(index + 1)),
    );
    const rows = await stage.sql('SELECT total, status FROM naive_campaigns');
    expect(rows.at(-1)).toEqual({ total: 50, status: 'sent' });
    await messages.deleteMany({});
  });
});
