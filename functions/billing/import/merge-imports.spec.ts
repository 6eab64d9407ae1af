import { expect, test } from 'vitest';
import { ServiceUnavailable } from '../../platform/problem.js';
import type { Log } from '../../platform/telemetry/log.js';
import type { BillingMeter } from '../upkeep/billing-meter.js';
import type { ImportsRepository } from './imports.repository.js';
import { MergeImports } from './merge-imports.js';

const CHUNK = { created: 1, repeated: 0, conflicting: 0 };
const going = new AbortController().signal;

/** Merges imports that have so many chunks each, or fail; `tried` has the number of an import for each call. */
function merger(chunks: Map<number, number | Error>, tried: number[], onChunk: () => void = () => {}) {
  const repository: Pick<ImportsRepository, 'unmerged' | 'mergeChunk'> = {
    unmerged: async () => [...chunks.keys()],
    mergeChunk: async (importNo) => {
      tried.push(importNo);
      const left = chunks.get(importNo) ?? 0;
      if (left instanceof Error) throw left;
      if (left === 0) return undefined;
      chunks.set(importNo, left - 1);
      onChunk();
      return CHUNK;
    },
  };
  const silent = { info() {}, error() {} } as unknown as Log;
  return new MergeImports(repository as ImportsRepository, { lines() {} } as unknown as BillingMeter, silent);
}

test('a pass merges each import to its end, in the order of their numbers', async () => {
  const tried: number[] = [];
  const chunks = new Map([
    [1, 2],
    [2, 1],
  ]);
  expect([await merger(chunks, tried).pass(going), tried]).toEqual([3, [1, 1, 1, 2, 2]]);
});

test('an import that cannot be merged does not stop the others', async () => {
  const tried: number[] = [];
  const chunks = new Map<number, number | Error>([
    [1, new Error('does not add up')],
    [2, 1],
  ]);
  expect([await merger(chunks, tried).pass(going), tried]).toEqual([1, [1, 2, 2]]);
});

test('a store that is away ends the pass', async () => {
  const tried: number[] = [];
  const chunks = new Map<number, number | Error>([
    [1, new ServiceUnavailable('the database is away')],
    [2, 1],
  ]);
  await expect(merger(chunks, tried).pass(going)).rejects.toThrow(ServiceUnavailable);
  expect(tried).toEqual([1]);
});

test('a pass that is told to stop ends after the current chunk', async () => {
  const tried: number[] = [];
  const stop = new AbortController();
  const chunks = new Map([
    [1, 5],
    [2, 5],
  ]);
  const merged = await merger(chunks, tried, () => tried.length === 2 && stop.abort()).pass(stop.signal);
  expect([merged, tried]).toEqual([2, [1, 1]]);
});
