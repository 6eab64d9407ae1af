import { describe, expect, it } from 'vitest';
import { mean, median, spread, steepest } from './statistics.js';

describe('statistics of a few measurements', () => {
  it('takes the middle one, or the mean of the two in the middle, whatever the order', () => {
    expect([median([9, 1, 5]), median([4, 1, 9, 2]), median([7])]).toEqual([5, 3, 7]);
    expect(median([])).toBeNaN();
  });

  it('tells how far the farthest is from the mean', () => {
    expect([mean([90, 100, 110]), spread([90, 100, 110])]).toEqual([100, 0.1]);
  });

  // 1 is straight, less is a fixed cost. Sizes may come in any order, and one size has no step.
  it('the steepest step is found wherever it is; a fixed cost is below 1', () => {
    const line = (seconds: number[]) => steepest(seconds.map((s, index) => ({ numbers: 10 ** index, seconds: s })));
    expect(line([1, 10, 100])).toBe(1);
    expect(line([5, 14, 104])).toBeLessThan(1);
    expect(line([1, 20, 200])).toBe(2);
    expect(
      steepest([
        { numbers: 100, seconds: 50 },
        { numbers: 1, seconds: 1 },
      ]),
    ).toBe(0.5);
    expect(steepest([{ numbers: 1, seconds: 1 }])).toBeUndefined();
  });
});
