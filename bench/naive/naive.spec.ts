import { readEnvironment } from '@disparo/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Variable } from '../../services/names.js';
import { measureNaive } from '../measure/naive.js';
import { phoneNumber, Room } from '../room.js';

describe('the naive pair', () => {
  let room: Room;
  beforeAll(async () => {
    room = await Room.open(readEnvironment() as Record<Variable, string>);
  });
  afterAll(() => room?.close());

  it.each(['each', 'end'] as const)('stores every number once, in order, confirms awaited %s', async (confirm) => {
    const measured = await measureNaive(room, 50, confirm);
    expect(measured).toMatchObject({ numbers: 50, publishS: expect.any(Number), drainS: expect.any(Number) });
    const messages = room.mongo.db().collection('naive_messages');
    const stored = await messages.find({}, { sort: { _id: 1 } }).toArray();
    expect(stored.map((document) => document.phone_number)).toEqual(
      Array.from({ length: 50 }, (_, index) => phoneNumber(index + 1)),
    );
    const { rows } = await room.pool.query('SELECT total, status FROM naive_campaigns');
    expect(rows.at(-1)).toEqual({ total: 50, status: 'sent' });
    await messages.deleteMany({});
  });
});
