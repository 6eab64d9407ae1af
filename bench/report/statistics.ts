/** The middle of some values; of two in the middle, their mean. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return (low + high) / 2;
}

/** The value that such a part of all does not exceed: the nearest rank. NaN of none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
}

/** NaN of none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How far the values lie from their mean at most, as a part of it: 0.05 is plus or minus 5 %. */
export function spread(values: readonly number[]): number {
  const middle = mean(values);
  return Math.max(...values.map((value) => Math.abs(value - middle))) / middle;
}

/** The sizes that were measured, the smallest first. */
export function sizesOf(all: readonly { numbers: number }[]): number[] {
  return [...new Set(all.map(({ numbers }) => numbers))].toSorted((a, b) => a - b);
}

/** A measurement of a size, for `steepest`. */
export interface Point {
  numbers: number;
  seconds: number;
}

/**
 * How cost grows: of all steps from one size to the next, the worst quotient of the growth of the time and the growth of
 * the size. 1 is a straight line through zero, 2 a step that costs twice as much as it should. Undefined of one size.
 */
export function steepest(points: readonly Point[]): number | undefined {
  const sorted = points.toSorted((a, b) => a.numbers - b.numbers);
  const steps = sorted.slice(1).map(({ numbers, seconds }, index) => {
    const before = sorted[index] as Point;
    return seconds / before.seconds / (numbers / before.numbers);
  });
  return steps.length === 0 ? undefined : Math.max(...steps);
}
