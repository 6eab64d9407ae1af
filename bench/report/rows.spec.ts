import { describe, expect, it } from 'vitest';
import type { LanguageName } from '../../consumer/conformance/runner/languages.js';
import type { BracketedDrain, Results } from '../results.js';
import { rowsOf, tableOf } from './rows.js';
import { chartOf } from './write.js';

const cost = { cpuS: 2, rssMb: 40, peakMb: 50 };
const naive = { numbers: 1_000, publishS: 2, drainS: 1, consumer: cost };
const NOTHING = { naive: { each: [], end: [] }, drains: [], uploads: [], endToEnd: [], partitions: [] };

function results(measured: Partial<Results>): Results {
  const machine = { cores: 2, processor: 'p', memoryGb: 8, system: 's', node: 'n' };
  return {
    ...NOTHING,
    begun: '2026-11-24T00:00:00.000Z',
    ended: '2026-11-24T00:10:00.000Z',
    run: 'default',
    parts: [],
    machine: { ...machine, postgres: '', mongod: '', rabbitmq: '', rust: '', go: '' },
    load: { begin: 0, end: 1 },
    ...measured,
  };
}

function drain(language: LanguageName, numbers: number, drainS: number, plainS = [1, 1]): BracketedDrain {
  const [before, after] = plainS.map((seconds) => ({ numbers, plainS: seconds, validatedS: 2 * seconds }));
  const steps = { gather: 0, admit: 0, store: 0, record: 0, settle: 0 };
  const times = { drainS, copyS: 0.1, publishS: 0.2, consumer: cost, services: {}, batches: 1, steps };
  return { language, numbers, ...times, ceilings: [before, after] as unknown as BracketedDrain['ceilings'] };
}

const goals = (found: Results) =>
  rowsOf(found).flatMap(({ measured, ratio, goal }) => (goal ? [[measured.trim(), ratio, goal.met]] : []));

describe('the table of a bench', () => {
  it('judges a drain by the ceilings right before and after it, and by naive', () => {
    const drains = [drain('rust', 100_000, 2, [1, 1.5]), drain('go', 100_000, 5, [1.5, 1])];
    expect(goals(results({ drains, naive: { each: [naive], end: [] } }))).toEqual([
      ['drain: rust', '60 % of M, 120 % with validator', true],
      ['rust and naive', '50 x naive', true],
      ['drain: go', '24 % of M, 48 % with validator', false],
      ['go and naive', '20 x naive', false],
    ]);
  });

  it('takes the median of the rounds, and judges no drain below 100,000', () => {
    const drains = [drain('go', 1_000, 4), drain('go', 1_000, 2), drain('go', 1_000, 9)];
    const row = rowsOf(results({ drains })).find(({ measured }) => measured === 'drain: go');
    expect(row).toEqual({
      measured: 'drain: go',
      numbers: 1_000,
      seconds: 4,
      ratio: '25 % of M, 50 % with validator',
      cpuPerMillion: 2_000,
      peakMb: 50,
    });
  });

  it('judges an upload by the time that naive would take for as many numbers', () => {
    const uploads = [{ numbers: 100_000, answerS: 1, confirmedS: 4, memory: { idleMb: 100, peakMb: 130 } }];
    expect(goals(results({ uploads, naive: { each: [naive], end: [{ ...naive, publishS: 0.1 }] } }))).toEqual([
      ['upload and naive, each confirm awaited', '1/50 of naive', true],
    ]);
  });

  it('judges a million from the first byte by the drain of as many, and by the memory of the API', () => {
    const drains = [drain('rust', 1_000_000, 10)];
    const whole = { language: 'rust', numbers: 1_000_000, sentS: 13, memory: { idleMb: 100, peakMb: 340 } } as const;
    const judged = (measure: Results['endToEnd'][number]) => goals(results({ drains, endToEnd: [measure] })).at(-1);
    const name = 'first byte to enviado: rust';
    expect(judged(whole)).toEqual([name, '1.30 x drain, API idle + 240 MB', true]);
    expect(judged({ ...whole, sentS: 15 })).toEqual([name, '1.50 x drain, API idle + 240 MB', false]);
    expect(judged({ ...whole, memory: { idleMb: 80, peakMb: 340 } })?.at(-1)).toBe(false);
  });

  it('finds where cost bends upwards', () => {
    const drains = [drain('go', 10_000, 1), drain('go', 100_000, 9), drain('go', 1_000_000, 180)];
    expect(goals(results({ drains })).at(-1)).toEqual([
      'growth: go, 10,000 to 1,000,000',
      'worst step 2.00 x straight',
      false,
    ]);
  });

  it('judges two partitions only where there are cores for two', () => {
    const one = { language: 'rust', partitions: 1, numbers: 100, left: 100, drainS: 1 } as const;
    const partitions = [one, { ...one, partitions: 2, drainS: 0.6 }];
    const found = results({ partitions });
    expect(goals(found)).toEqual([['2 partitions, as many consumers: rust', '1.67 x one', undefined]]);
    expect(
      goals({ ...found, machine: { ...found.machine, cores: 4 } })
        .at(-1)
        ?.at(-1),
    ).toBe(true);
  });

  it('says yes, NO or not judged beside each goal, with the numbers in columns', () => {
    const drains = [drain('rust', 100_000, 2), drain('typescript', 100_000, 3)];
    const lines = tableOf(results({ drains })).split('\n');
    expect(lines.find((line) => line.includes('drain: rust'))).toMatch(
      /│ +100,000 │ +2\.00 │ +50,000 │ 50 % of M, 100 % with validator +│ +20\.0 │ +50 │ ≥ 60 % of M: NO /,
    );
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  });

  it('draws the largest size that every language has drained, and nothing where nothing was', () => {
    const drains = [drain('rust', 1_000, 1), drain('go', 1_000, 2), drain('rust', 10_000, 1)];
    expect(chartOf(results({ drains }))).toContain('1,000 numbers, one consumer');
    expect(chartOf(results({}))).toBeUndefined();
  });
});
