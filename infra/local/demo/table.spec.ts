import { expect, test } from 'vitest';
import { table } from './table.js';

test('columns are as wide as their widest cell', () => {
  expect(
    table(
      ['n', 'word'],
      [
        ['1', 'a'],
        ['20', 'longer'],
      ],
      80,
    ),
  ).toBe(
    [
      '┌────┬────────┐',
      '│ n  │ word   │',
      '├────┼────────┤',
      '│ 1  │ a      │',
      '│ 20 │ longer │',
      '└────┴────────┘',
    ].join('\n'),
  );
});

test('on a narrow terminal the widest column gives way', () => {
  const lines = table(['n', 'identifier'], [['1', 'abcdefghijklmnop']], 20).split('\n');

  expect(lines.map((line) => line.length)).toEqual([20, 20, 20, 20, 20]);
  expect(lines[3]).toBe('│ 1 │ abcdefghijk… │');
});

test('colours take no width', () => {
  const lines = table(['n', 'word'], [['1', '\x1b[31mred\x1b[39m']], 80).split('\n');

  expect(lines[3]).toBe('│ 1 │ \x1b[31mred\x1b[39m  │');
});
