import type { AdmitRow, Chunk } from '@disparo/contract';
import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { judge, type Verdict } from './admit.js';
import { type ChunkDelivery, Delivery } from './decode.js';

const chunk: Chunk = {
  campaign_id: 'c1',
  company_id: 'e1',
  message: 'Oi',
  first_sequence: 1,
  phone_numbers: ['+5511987654321', '+5511987654322'],
};
const known: AdmitRow = {
  campaign_id: 'c1',
  first_sequence: 1,
  campaign_known: true,
  size: 2,
  running: true,
  stored: false,
};
const delivered = (changes: Partial<Chunk> = {}): ChunkDelivery => ({
  delivery: new Delivery({} as ConsumeMessage),
  chunk: { ...chunk, ...changes },
});

describe('step 3: what the ledger says of a chunk', () => {
  it.each<[string, Partial<AdmitRow>, Verdict | { reason: string }]>([
    ['runs and is not stored', {}, 'owed'],
    ['campaign unknown', { campaign_known: false, size: null, running: false }, { reason: 'unknown_campaign' }],
    ['chunk unknown', { size: null }, { reason: 'unknown_chunk' }],
    ['another size', { size: 3 }, { reason: 'unknown_chunk' }],
    ['chunk unknown of a campaign that does not run', { size: null, running: false }, { reason: 'unknown_chunk' }],
    ['does not run', { running: false }, 'let_go'],
    ['does not run and is stored', { running: false, stored: true }, 'let_go'],
    ['is stored', { stored: true }, 'repeated'],
  ])('%s', (_name, changes, verdict) => {
    const at = delivered();
    const { verdicts, owed } = judge([at], [{ ...known, ...changes }]);
    if (typeof verdict === 'string') expect(verdicts.get(at.delivery)).toBe(verdict);
    else expect(verdicts.get(at.delivery)).toMatchObject(verdict);
    expect(owed).toEqual(verdict === 'owed' ? [at] : []);
  });

  it('takes a chunk that stands twice in a batch once, and judges each delivery by its own size', () => {
    const [first, again, other] = [delivered(), delivered(), delivered({ phone_numbers: ['+5511987654321'] })];
    const { verdicts, owed } = judge([first, again, other], [known]);
    expect([first, again].map(({ delivery }) => verdicts.get(delivery))).toEqual(['owed', 'repeated']);
    expect(verdicts.get(other.delivery)).toMatchObject({ reason: 'unknown_chunk' });
    expect(owed).toEqual([first]);
  });
});
