/** The middle one of the values, or the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return (low + high) / 2;
}

/** The value that `part` of all values (0 to 1) do not exceed, by nearest rank. NaN of none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
}

/** The arithmetic mean. NaN of none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The largest distance of a value from the mean, as a part of the mean: 0.05 is plus or minus 5 %. */
export function spread(values: readonly number[]): number {
  const middle = mean(values);
  return Math.max(...values.map((value) => Math.abs(value - middle))) / middle;
}

/** The sizes that were measured, the smallest first. */
export function sizesOf(all: readonly { numbers: number }[]): number[] {
  return [...new Set(all.map(({ numbers }) => numbers))].toSorted((a, b) => a - b);
}

/** A measurement of a size, for `steepest`. */
interface Point {
  numbers: number;
  seconds: number;
}

/**
 * How cost grows: for each step from one size to the next, the growth of the time divided by the growth of the size;
 * returns the worst. 1 is a straight line through zero, 2 a step that costs twice too much. Undefined of one size.
 */
export function steepest(points: readonly Point[]): number | undefined {
  const sorted = points.toSorted((a, b) => a.numbers - b.numbers);
  const steps = sorted.slice(1).map(({ numbers, seconds }, index) => {
    const before = sorted[index] as Point;
    return seconds / before.seconds / (numbers / before.numbers);
  });
  return steps.length === 0 ? undefined : Math.max(...steps);
}
