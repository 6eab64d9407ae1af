import { describe, expect, it } from 'vitest';
import { drain, results } from './made-up.js';
import { chartOf } from './write.js';

describe('the chart of a run', () => {
  it('draws the largest size that every language has drained, and nothing where nothing was', () => {
    const drains = [drain('rust', 1_000, 1), drain('go', 1_000, 2), drain('rust', 10_000, 1)];
    expect(chartOf(results({ drains }))).toContain('1,000 numbers, one consumer');
    expect(chartOf(results({}))).toBeUndefined();
  });
});
