import { expect, it } from 'vitest';
import { type Row, tableOf } from './table.js';

it('says yes, NO or not judged next to each goal, with the numbers in columns', () => {
  const goal = (met: boolean | undefined) => ({ wanted: '≥ 60 % of M', met });
  const rows: Row[] = [
    {
      measured: 'drain: rust',
      numbers: 100_000,
      seconds: 2,
      ratio: '50 % of M',
      cpuPerMillion: 20,
      peakMb: 50,
      goal: goal(false),
    },
    { measured: 'drain: go', numbers: 1_000, seconds: 3.333, ratio: '70 % of M', goal: goal(true) },
    { measured: 'a ratio alone', ratio: '2 x one', goal: goal(undefined) },
  ];
  const lines = tableOf(rows).split('\n');
  const line = (measured: string) => lines.find((one) => one.includes(measured));
  expect(line('drain: rust')).toMatch(/│ +100,000 │ +2\.00 │ +50,000 │ 50 % of M +│ +20\.0 │ +50 │ ≥ 60 % of M: NO /);
  expect(line('drain: go')).toMatch(/│ +1,000 │ +3\.33 │ +300 │ 70 % of M +│ +│ +│ ≥ 60 % of M: yes /);
  expect(line('a ratio alone')).toMatch(/│ +│ +│ +│ 2 x one +│ +│ +│ ≥ 60 % of M: not judged /);
  expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
});
