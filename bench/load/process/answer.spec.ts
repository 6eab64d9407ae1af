import { expect, test } from 'vitest';
import { NotHttp, parseAnswer } from './answer.js';

const bytes = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'));

test('a body ends where Content-Length says, in bytes', () => {
  const whole = bytes('HTTP/1.1 202 Accepted\nContent-Length: 11\nX-A: 1\n\n{"é":"b"}');
  expect(parseAnswer(whole)).toBeUndefined();
  expect(parseAnswer(bytes('HTTP/1.1 202 Accepted\nContent-Length: 10\nX-A:1 \n\n{"é":"b"}'))).toEqual({
    status: 202,
    headers: { 'content-length': '10', 'x-a': '1' },
    body: '{"é":"b"}',
    keepsAlive: true,
  });
});

test.each([
  ['Content-Length: 2\n\nok'],
  ['Transfer-Encoding: chunked\n\n1\no\n1;ext=1\nk\n0\n\n'],
  ['Transfer-Encoding: Chunked\n\n2\nok\n0\nTrailer: x\n\n'],
])('an answer cut anywhere is not whole, and not wrong: %s', (rest) => {
  const whole = bytes(`HTTP/1.1 200 OK\n${rest}`);
  for (let cut = 0; cut < whole.length; cut++) expect(parseAnswer(whole.subarray(0, cut))).toBeUndefined();
  expect(parseAnswer(whole)).toMatchObject({ status: 200, body: 'ok', keepsAlive: true });
});

test('an answer cut by the end of the connection is none', () => {
  expect(parseAnswer(bytes('HTTP/1.1 200 OK\nContent-Length: 5\n\nok'), true)).toBeUndefined();
  expect(parseAnswer(bytes('HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nok'), true)).toBeUndefined();
});

test('without a length the body is what comes until the end', () => {
  const whole = bytes('HTTP/1.1 200 OK\n\nok');
  expect(parseAnswer(whole)).toBeUndefined();
  expect(parseAnswer(whole, true)).toMatchObject({ body: 'ok', keepsAlive: false });
});

test('an answer of 1xx is passed over, and 204 has no body', () => {
  expect(parseAnswer(bytes('HTTP/1.1 100 Continue\n\n'))).toBeUndefined();
  expect(parseAnswer(bytes('HTTP/1.1 100 Continue\n\nHTTP/1.1 204 No Content\n\n'))).toMatchObject({
    status: 204,
    body: '',
    keepsAlive: true,
  });
});

test.each([
  ['HTTP/1.1 200 OK\nConnection: Close\nContent-Length: 0\n\n', false],
  ['HTTP/1.0 200 OK\nContent-Length: 0\n\n', false],
  ['HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 0\n\n', true],
])('a connection is used again when both sides may: %s', (text, keepsAlive) => {
  expect(parseAnswer(bytes(text))?.keepsAlive).toBe(keepsAlive);
});

test.each([
  ['SSH-2.0-OpenSSH\n'],
  ['HTTP/2 200\n\n'],
  ['HTTP/1.1 2000 OK\n\n'],
  ['HTTP/1.1 200 OK\nno colon\n\n'],
  ['HTTP/1.1 200 OK\nContent-Length: -1\n\n'],
  ['HTTP/1.1 200 OK\nContent-Length: 1\n\nok'],
  ['HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n'],
  ['HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nx\n'],
  ['HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\nok\n0\n\n'],
  ['HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\nHTTP'],
])('what is no answer is refused: %s', (text) => {
  expect(() => parseAnswer(bytes(text))).toThrow(NotHttp);
});

test('an answer without an end is refused', () => {
  expect(() => parseAnswer(Buffer.alloc(1_100_000, 'HTTP/'))).toThrow(NotHttp);
});
