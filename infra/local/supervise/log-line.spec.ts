import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { eachLine, prettyLine } from './log-line.js';

test('a line of pino becomes time, level, sentence and fields, without what says nothing here', () => {
  const time = new Date(2026, 10, 24, 9, 5, 7);
  const entry = {
    level: 40,
    time,
    pid: 1,
    hostname: 'h',
    name: 'api',
    service: 'mongodb',
    word: 'two words',
    n: 3,
    msg: 'waiting',
  };

  expect(prettyLine(JSON.stringify(entry))).toBe('09:05:07 warn  waiting service=mongodb word="two words" n=3');
});

test('the order of its fields does not matter', () => {
  const line = '{"time":"2026-11-24T09:05:07.000Z","msg":"drained","level":30,"name":"consumer-go"}';

  expect(prettyLine(line)).toMatch(/^\d\d:\d\d:07 info {2}drained$/);
});

test('an error is shown by its stack', () => {
  const err = { type: 'Error', message: 'no', stack: 'Error: no\n    at x' };

  expect(prettyLine(JSON.stringify({ level: 50, time: Number.NaN, msg: 'failed', err }))).toContain(
    'failed err=Error: no\n    at x',
  );
});

test.each(['Server ready: http://127.0.0.1:3000', '{"level":30, broken', '{"other":"json"}', ''])(
  '%j stays as it is',
  (line) => {
    expect(prettyLine(line)).toBe(line);
  },
);

test('lines are whole, however the stream was cut, and the last one needs no newline', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  eachLine(stream, (line) => lines.push(line));
  for (const piece of ['on', 'e\ntwo\n\nthr', 'ee']) stream.write(piece);
  stream.end();
  await once(stream, 'end');

  expect(lines).toEqual(['one', 'two', '', 'three']);
});
