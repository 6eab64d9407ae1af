import { expect, test } from 'vitest';
import { textRows } from './copy-rows.js';

test('a row of COPY has its escapes, and null is no text', () => {
  const rows = [
    { line: 1, value: 'a\tb\nc\rd\\e', note: null },
    { line: 2, value: '\\N', note: '' },
  ];
  expect([...textRows(rows, ({ line, value, note }) => [line, value, note])]).toEqual([
    '1\ta\\tb\\nc\\rd\\\\e\t\\N\n',
    '2\t\\\\N\t\n',
  ]);
});
