import { describe, expect, it } from 'vitest';
import { drain, NAIVE, results } from './made-up.js';
import { chartOf } from './write.js';

describe('the chart of a run', () => {
  it('draws the largest size that every language has drained, and nothing where nothing was', () => {
    const drains = [drain('rust', 1_000, 1), drain('go', 1_000, 2), drain('rust', 10_000, 1)];
    expect(chartOf(results({ drains }))).toContain('1,000 numbers, one consumer');
    expect(chartOf(results({}))).toBeUndefined();
  });

  it('shows a consumer fresh and warm, and the size of naive', () => {
    const drains = [{ ...drain('typescript', 1_000, 4), warmS: 2 }];
    const picture = chartOf(results({ drains, naive: { each: [{ ...NAIVE, numbers: 10 }], end: [] } }));
    const texts = [...(picture ?? '').matchAll(/<text class="(?:label|value)"[^>]*>([^<]+)/g)].map(([, text]) => text);
    expect(texts).toEqual([
      ...['mongod alone', '1,000/s (ceiling M)'],
      ...['TypeScript, warm', '500/s, 50 %'],
      ...['TypeScript', '250/s, 25 %'],
      ...['naive', '10/s, of 10 numbers'],
    ]);
  });
});
