import { expect, test } from 'vitest';
import { sliceOf } from './slices.js';

test.each([
  [[1, 2, 3], { data: [1, 2], next: 2 }],
  [[1, 2], { data: [1, 2], next: null }],
  [[], { data: [], next: null }],
])('of %j with a limit of 2 the next slice is told where there is one', (found, slice) => {
  expect(sliceOf(found, 2, (row) => row)).toEqual(slice);
});
