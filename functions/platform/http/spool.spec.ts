import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { ServiceUnavailable } from '../problem.js';
import { Spool } from './spool.js';

test.each([
  ['nothing', []],
  ['one small piece', [5]],
  ['pieces that fill a block, and one more', [65_536, 1, 65_535, 2]],
  ['a piece that is larger than a block, between small ones', [7, 300_000, 9]],
  ['many small pieces', Array.from({ length: 100 }, (_, at) => 4_096 - at)],
])('%s is read again as it was added, twice', async (_, sizes) => {
  const spool = new Spool();
  const content = randomBytes(sizes.reduce((sum, size) => sum + size, 0));
  try {
    let at = 0;
    for (const size of sizes) {
      // A piece is memory that is used again.
      const piece = Uint8Array.from(content.subarray(at, at + size));
      await spool.add(piece);
      piece.fill(0);
      at += size;
    }
    for (let each = 0; each < 2; each++) {
      const read: Uint8Array[] = [];
      for await (const piece of spool.read()) read.push(piece);
      expect(Buffer.concat(read).equals(content)).toBe(true);
    }
  } finally {
    await spool.close();
  }
});

test('a folder that cannot be written is an outage and no bug', async () => {
  vi.stubEnv('TMPDIR', '/nowhere');
  const spool = new Spool();
  try {
    await expect(spool.add(Buffer.alloc(100_000))).rejects.toThrow(ServiceUnavailable);
  } finally {
    vi.unstubAllEnvs();
    await spool.close();
  }
});
