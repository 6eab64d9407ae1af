import { describe, expect, it } from 'vitest';
import { KINDS, long, SHORT, schedule } from './schedule.js';

describe.each([
  { form: 'short', of: SHORT },
  { form: 'long', of: long(6) },
])('the $form schedule', ({ of }) => {
  const seeds = Array.from({ length: 50 }, (_, seed) => seed);

  it('is the same for the same seed, and another one for another', () => {
    expect(schedule(7, of)).toEqual(schedule(7, of));
    expect(new Set(seeds.map((seed) => JSON.stringify(schedule(seed, of)))).size).toBe(seeds.length);
  });

  it('has every kind of fault, in the order of their times', () => {
    for (const seed of seeds) {
      const parts = schedule(seed, of);
      expect(new Set(parts.flatMap(({ faults }) => faults.map(({ kind }) => kind)))).toEqual(new Set(KINDS));
      for (const { faults } of parts) expect(faults).toEqual(faults.toSorted((one, other) => one.atMs - other.atMs));
    }
  });

  it('purges nothing while nothing is healed', () => {
    for (const seed of seeds)
      for (const { healAfterS, faults } of schedule(seed, of))
        expect(faults.some(({ kind }) => kind === 'queues purged')).toBe(healAfterS < 60);
  });

  it('has an upload whose answer is lost', () => {
    for (const seed of seeds) {
      const dies = schedule(seed, of).flatMap(({ campaigns }) => campaigns.map(({ apiDies }) => apiDies));
      expect(dies).toContain('once accepted');
    }
  });
});

describe('the long schedule', () => {
  it('has both of its parts, however short', () => {
    expect(long(1)).toEqual(long(2));
    expect(schedule(1, long(1)).map(({ campaigns }) => campaigns.length)).toEqual([2, 2]);
  });

  it('sends campaigns of 50,000 and lets a consumer stand still for 40 s', () => {
    const parts = schedule(1, long(3));
    expect(parts.flatMap(({ campaigns }) => campaigns.map(({ total }) => total))).toEqual([
      50_000, 50_000, 50_000, 50_000, 50_000, 50_000,
    ]);
    const still = parts.flatMap(({ faults }) =>
      faults.flatMap((fault) => (fault.kind === 'consumer stands still' ? [fault.forMs] : [])),
    );
    expect(still).toEqual([40_000, 40_000]);
  });
});
