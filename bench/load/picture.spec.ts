import { expect, test } from 'vitest';
import { drawing, milliseconds, momentsOf, sparklines } from './picture.js';

const figures = (points: [number, number][]) => ({
  acceptedMs: Float64Array.from(points, ([at]) => at),
  latencyMs: Float64Array.from(points, ([, latency]) => latency),
});

test('latencies are told by the second of their answers', () => {
  const moments = momentsOf(
    figures([
      [10, 1],
      [900, 3],
      [999, 2],
      [2_100, 40],
      [Number.NaN, Number.NaN],
    ]),
  );
  expect(moments).toEqual([
    { at: 0, p50: 2, p99: 3, max: 3 },
    { at: 1, p50: Number.NaN, p99: Number.NaN, max: Number.NaN },
    { at: 2, p50: 40, p99: 40, max: 40 },
  ]);
});

test('a long run is told in sixty moments at most', () => {
  const moments = momentsOf(
    figures([
      [0, 1],
      [119_999, 2],
    ]),
  );
  expect([moments.length, moments.at(-1)?.at]).toEqual([60, 118]);
});

test('a line is as high as its own highest value, and empty where nothing was answered', () => {
  const moment = (p50: number) => ({ at: 0, p50, p99: p50, max: p50 });
  expect(sparklines([moment(1), moment(Number.NaN), moment(50), moment(100)])).toEqual(
    ['p50', 'p99', 'max'].map((line) => `${line}  ▁ ▅█  up to 100 ms`),
  );
});

test('times have three digits, and commas above a thousand', () => {
  expect([0.1234, 12.34, 123.4, 4_567.8, Number.NaN].map(milliseconds)).toEqual([
    '0.123 ms',
    '12.3 ms',
    '123 ms',
    '4,568 ms',
    '-',
  ]);
});

test('the drawing holds a line each, inside the picture', () => {
  const svg = drawing('Latency', [
    { at: 0, p50: 2, p99: 30, max: 30 },
    { at: 1, p50: Number.NaN, p99: Number.NaN, max: Number.NaN },
    { at: 2, p50: 5, p99: 10, max: 999 },
  ]);
  const lines = [...svg.matchAll(/<polyline class="(\w+)" points="([^"]+)"/g)];
  expect(lines.map(([, name]) => name)).toEqual(['p50', 'p99', 'max']);
  for (const [, , points = ''] of lines) {
    const numbers = points.split(' ').map((point) => point.split(',').map(Number));
    expect(numbers.length).toBe(2);
    for (const [x = -1, y = -1] of numbers) expect([x >= 0 && x <= 720, y >= 0 && y <= 300]).toEqual([true, true]);
  }
});
