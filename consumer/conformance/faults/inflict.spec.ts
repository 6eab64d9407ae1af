import { describe, expect, it } from 'vitest';
import { purgesInWords } from './inflict.js';

describe('the purges of a run', () => {
  it('are told with what each of them removed', () => {
    expect(purgesInWords([784, 0, 12])).toBe('chunks lost by each purge, and healed: 784, 0, 12');
  });

  it.each([{ purged: [0, 0] }, { purged: [] }])('prove nothing when they found nothing: $purged', ({ purged }) => {
    expect(purgesInWords(purged)).toMatch(/^no purge found anything/);
  });
});
