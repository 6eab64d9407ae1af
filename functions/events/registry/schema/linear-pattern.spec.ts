import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { linearPattern } from './linear-pattern.js';

test('patterns keep few of the states that hostile texts need', () => {
  const patterns = Array.from({ length: 30 }, (_, at) => linearPattern(`[ab]*a[ab]{${300 + at}}[cd]`));
  const text = createHash('shake256', { outputLength: 2_000 }).update('a').digest('hex').replaceAll(/[0-7]/g, 'a');
  const hostile = text.replaceAll(/[^a]/g, 'b');
  const before = heapBytes();
  for (const { test } of patterns) expect(test(hostile)).toBe(false);
  // The engine's own limit is 8 MiB for each.
  expect(heapBytes() - before).toBeLessThan(30 * 512 * 1_024);
  expect(patterns.every(({ test }) => test(`${'a'.repeat(400)}c`))).toBe(true);
});

test('a pattern whose table would take megabytes runs without it', () => {
  const { bytes, test: matches } = linearPattern('^[\\p{L}\\p{N}]{1,400}$');
  expect(bytes).toBeLessThan(1_048_576);
  expect([matches('ação1'), matches('a b'), matches('é'.repeat(401))]).toEqual([true, false, false]);
});

/** After everything that is not used any more is gone. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
