import { expect, test } from 'vitest';
import { TooManyRejects } from '../../billing.errors.js';
import { dayOf } from './fields.js';
import { type FileCounts, readDebts } from './reading.js';

const RULES = { today: dayOf('2026-12-01'), strict: false };
const MOST = 2_000_000;

/** Reads a file of so many lines of one letter, and as many blank ones. */
async function read(lines: number): Promise<{ counts: FileCounts | TooManyRejects; kept: number }> {
  let kept = 0;
  async function* file() {
    yield Buffer.from('name,governmentId,email,debtAmount,debtDueDate,debtId\n');
    for (let left = lines; left > 0; left -= 100_000) yield Buffer.from('x\n\n'.repeat(Math.min(left, 100_000)));
  }
  const sink = {
    chunk: () => Promise.reject(new Error('no line is a debt')),
    rejects: async (rejects: readonly unknown[]) => {
      kept += rejects.length;
    },
  };
  const counts = await readDebts(file(), RULES, sink).catch((error: TooManyRejects) => error);
  return { counts, kept };
}

test('a file with two million refused lines is read, with one more it is refused', { timeout: 60_000 }, async () => {
  const { counts, kept } = await read(MOST);
  expect(counts).toMatchObject({ lines: 2 * MOST, blank: MOST, accepted: 0, rejected: MOST });
  expect(kept).toBe(MOST);
  expect((await read(MOST + 1)).counts).toEqual(new TooManyRejects(MOST));
});
