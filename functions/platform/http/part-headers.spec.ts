import { describe, expect, test } from 'vitest';
import { MediaTypeRefused, NotUtf8, ValidationProblem } from '../problem.js';
import { PartHeaders } from './part-headers.js';

const TYPE = 'multipart/form-data; boundary="a b"';
const FIELD = 'Content-Disposition: form-data; name="message"';
const FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"';

/** A form of parts, as bytes. */
function form(...parts: string[]): Buffer {
  return Buffer.from(`${parts.map((part) => `--a b\r\n${part}\r\n`).join('')}--a b--\r\n`, 'latin1');
}

/** What is wrong with a form that comes in pieces of `size` bytes. */
function problemOf(bytes: Buffer, size: number, type = TYPE): unknown {
  const headers = new PartHeaders(type);
  for (let at = 0; at < bytes.length; at += size) headers.write(bytes.subarray(at, at + size));
  try {
    headers.check();
    return undefined;
  } catch (problem) {
    return (problem as object).constructor;
  }
}

describe.each([1, 2, 7, 100_000])('the headers of parts that come %i bytes at a time', (size) => {
  test.each([
    ['of fields and a file', form(`${FIELD}\r\n\r\nm`, `${FILE}\r\n\r\n1\r\n--a \r\n\r\n--a c`), undefined],
    ['of UTF-8 by any of its names', form(`${FIELD}\r\nContent-Type: text/plain; charset="UTF-8"\r\n\r\nm`), undefined],
    ['of a file of any charset', form(`${FILE}\r\nContent-Type: text/csv; charset=latin1\r\n\r\n1`), undefined],
    ['that are content', form(`${FIELD}\r\n\r\ncontent-type: a/b; charset=latin1\r\n\r\n\xe9`), undefined],
    ['behind the last delimiter', Buffer.concat([form(`${FIELD}\r\n\r\nm`), Buffer.alloc(9_000, 'x')]), undefined],
    [
      'of another charset',
      form(`${FILE}\r\n\r\n1`, `${FIELD}\r\ncontent-TYPE:a/b;charset=latin1\r\n\r\nm`),
      MediaTypeRefused,
    ],
    [
      'of a charset on a line of its own',
      form(`${FIELD}\r\nContent-Type: a/b;\r\n\tcharset=latin1\r\n\r\nm`),
      MediaTypeRefused,
    ],
    ['of an extended charset', form(`${FIELD}\r\nContent-Type: a/b; charset*=x''latin1\r\n\r\nm`), MediaTypeRefused],
    [
      'of another charset, of a field that looks like a file',
      form(`${FIELD}; x="; filename=a"\r\nContent-Type: a/b; charset=base64\r\n\r\nm`),
      MediaTypeRefused,
    ],
    [
      'of two charsets',
      form(`${FIELD}\r\nContent-Type: a/b; charset=utf-8; charset=utf-16\r\n\r\nm`),
      MediaTypeRefused,
    ],
    ['that are no UTF-8', form(`${FIELD}\r\nX-Any: \xe9\r\n\r\nm`), NotUtf8],
    ['that never end', form(`${FIELD}\r\nX-Any: ${'x'.repeat(9_000)}`), ValidationProblem],
    ['that are too long', form(`${FIELD}\r\nX-Any: ${'x'.repeat(9_000)}\r\n\r\nm`), ValidationProblem],
  ])('%s', (_, bytes, problem) => {
    expect(problemOf(bytes, size)).toBe(problem);
  });
});

test('a form without a boundary is left to the parser of forms', () => {
  expect(problemOf(form(`${FIELD}\r\nX-Any: \xe9\r\n\r\nm`), 10, 'multipart/form-data')).toBe(undefined);
});
