import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { accepted, PATIENCE_MS } from './fixtures.js';

const FEW = 300_000;
const MANY = 3_000_000;
/**
 * The most that a further number may add to the peak: 8 bytes in the list, 5 to 11 in the table of repeats with its empty
 * slots, and what V8 has not collected yet. 17 to 20 are measured. A text of each number would be 40 bytes in an array and
 * as much again in a Set. Short-lived strings on the way to the COPY made it 47 to 51.
 */
const BYTES_A_NUMBER = 35;

/** The peak of a fresh server, in bytes, when it has published this many numbers. */
async function peakOf(numbers: number): Promise<number> {
  const stage = await ApiStage.open();
  try {
    const ana = await stage.user();
    const lines = Array.from({ length: numbers }, (_, index) => 11_900_000_000 + index).join('\n');
    const { id, total } = await accepted(stage, ana, await stage.company(ana), lines);
    expect(total).toBe(numbers);
    const published = 'SELECT 1 FROM campaigns WHERE id = $1 AND published = total';
    await stage.until(async () => (await stage.sql(published, [id])).length > 0, 'all is published');
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${stage.pid}/status`, 'utf8'))?.[1];
    return Number(peak) * 1_024;
  } finally {
    await stage.close();
  }
}

test.skipIf(!existsSync('/proc/self/status'))(
  'ten times the numbers take the server a few bytes more a number, and never their text',
  async () => {
    const few = await peakOf(FEW);
    expect((await peakOf(MANY)) - few).toBeLessThan((MANY - FEW) * BYTES_A_NUMBER);
  },
  2 * PATIENCE_MS,
);
