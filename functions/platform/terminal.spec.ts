import { afterEach, expect, test, vi } from 'vitest';
import { screenSize } from './terminal.js';

afterEach(() => vi.unstubAllGlobals());

test.each([
  [
    { rows: 40, columns: 120 },
    { rows: 39, width: 120 },
  ],
  [
    { rows: 0, columns: 0 },
    { rows: Number.POSITIVE_INFINITY, width: Number.POSITIVE_INFINITY },
  ],
  [{}, { rows: Number.POSITIVE_INFINITY, width: Number.POSITIVE_INFINITY }],
])('a terminal that does not know its size is drawn whole: %o', (stdout, size) => {
  vi.stubGlobal('process', { ...process, stdout });
  expect(screenSize()).toEqual(size);
});
