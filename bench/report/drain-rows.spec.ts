import { describe, expect, it } from 'vitest';
import { drainRows, growthRows, naiveRows, partitionRows } from './drain-rows.js';
import { drain, judged, NAIVE, results } from './made-up.js';

describe('the lines of drains', () => {
  it('judges a drain by the ceilings right before and after it, and by naive', () => {
    const drains = [drain('rust', 100_000, 2, [1, 1.5]), drain('go', 100_000, 5, [1.5, 1])];
    expect(judged(drainRows(results({ drains, naive: { each: [NAIVE], end: [] } })))).toEqual([
      ['drain: rust', '60 % of M, 120 % with validator', true],
      ['rust and naive', '50 x naive of 1,000', true],
      ['drain: go', '24 % of M, 48 % with validator', false],
      ['go and naive', '20 x naive of 1,000', false],
    ]);
  });

  it('compares with naive of at most as many numbers, and says how many', () => {
    const fast = { ...NAIVE, numbers: 100_000, drainS: 50 };
    const naive = { each: [NAIVE, fast], end: [{ ...NAIVE, numbers: 1_000_000, drainS: 1 }] };
    const drains = [{ ...drain('go', 100_000, 5), warmS: 2 }, drain('go', 1_000_000, 50)];
    const found = results({ drains, naive });
    const compared = drainRows(found).filter(({ measured }) => measured.includes('naive'));
    expect(compared.map(({ measured, numbers, ratio }) => [measured.trim(), numbers, ratio])).toEqual([
      ['go and naive', 100_000, '10 x naive of 100,000'],
      ['go, warm, and naive', 100_000, '25 x naive of 100,000'],
      ['go and naive', 1_000_000, '0 x naive of 1,000,000'],
    ]);
    expect(naiveRows(found).map(({ measured, numbers }) => [measured, numbers])).toEqual([
      ['naive: publish, each confirm awaited', 1_000],
      ['naive: drain', 1_000],
      ['naive: publish, each confirm awaited', 100_000],
      ['naive: drain', 100_000],
      ['naive: publish, confirms awaited at the end', 1_000_000],
      ['naive: drain', 1_000_000],
    ]);
  });

  it('judges the same again by a warm consumer, where it was measured', () => {
    const drains = [{ ...drain('typescript', 100_000, 5), warmS: 4 }, drain('typescript', 100_000, 5)];
    expect(judged(drainRows(results({ drains })))).toEqual([
      ['drain: typescript', '20 % of M, 40 % with validator', false],
      ['drain, warm: typescript', '25 % of M, 50 % with validator', true],
    ]);
  });

  it('takes the median of the rounds, and judges no drain below 100,000', () => {
    const drains = [drain('go', 1_000, 4), drain('go', 1_000, 2), drain('go', 1_000, 9)];
    const row = drainRows(results({ drains })).find(({ measured }) => measured === 'drain: go');
    expect(row).toEqual({
      measured: 'drain: go',
      numbers: 1_000,
      seconds: 4,
      ratio: '25 % of M, 50 % with validator',
      cpuPerMillion: 2_000,
      peakMb: 50,
    });
  });

  it('finds where cost bends upwards', () => {
    const drains = [drain('go', 10_000, 1), drain('go', 100_000, 9), drain('go', 1_000_000, 180)];
    expect(judged(growthRows(results({ drains }))).at(-1)).toEqual([
      'growth: go, 10,000 to 1,000,000',
      'worst step 2.00 x straight',
      false,
    ]);
  });

  it('judges two partitions only where there are cores for two', () => {
    const one = { language: 'rust', partitions: 1, numbers: 100, left: 100, drainS: 1 } as const;
    const partitions = [one, { ...one, partitions: 2, drainS: 0.6 }];
    const found = results({ partitions });
    expect(judged(partitionRows(found))).toEqual([['2 partitions, as many consumers: rust', '1.67 x one', undefined]]);
    expect(
      judged(partitionRows({ ...found, machine: { ...found.machine, cores: 4 } }))
        .at(-1)
        ?.at(-1),
    ).toBe(true);
  });
});
