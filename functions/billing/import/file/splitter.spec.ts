import { expect, test } from 'vitest';
import { FileNotText, HeaderInvalid } from '../../billing.errors.js';
import type { Field } from './field.js';
import { COLUMNS } from './field.js';
import { LINE_LIMIT, Splitter } from './splitter.js';

const HEADER = COLUMNS.join(',');
const MIB = 2 ** 20;

type Line = [line: number, ...values: string[]];

function textOf({ bytes, from, to }: Field): string {
  return bytes.toString('utf8', from, to);
}

/** The lines of a file: six fields each, or the reason and the text of one that cannot be cut. */
function linesOf(...pieces: (string | Uint8Array)[]): { lines: Line[]; count: number; blank: number } {
  const lines: Line[] = [];
  const splitter = new Splitter({
    record: (line, fields) => lines.push([line, ...fields.map(textOf)]),
    unreadable: (line, reason, text) => lines.push([line, reason, textOf(text)]),
  });
  for (const piece of pieces) splitter.write(Buffer.from(piece));
  splitter.finish();
  return { lines, count: splitter.count, blank: splitter.blank };
}

/** The lines of a file with the usual header. */
function rowsOf(...pieces: (string | Uint8Array)[]): Line[] {
  return linesOf(`${HEADER}\n`, ...pieces).lines;
}

test('LF, CRLF and CR end a line, mixed in one file', () => {
  const file = `${HEADER}\r\n1,b,c,d,e,f\r2,b,c,d,e,f\n3,b,c,d,e,f\r\n\r\r\n4,b,c,d,e,f`;
  expect(linesOf(file)).toEqual({
    lines: [2, 3, 4, 7].map((line, at) => [line, String(at + 1), 'b', 'c', 'd', 'e', 'f']),
    count: 6,
    blank: 2,
  });
});

test('a CR and an LF in two pieces are one line end', () => {
  expect(linesOf(`${HEADER}\r`, '\n1,b,c,d,e,f\r', '', '\n2,b,c,d,e,f\r', '\r').lines).toEqual([
    [2, '1', 'b', 'c', 'd', 'e', 'f'],
    [3, '2', 'b', 'c', 'd', 'e', 'f'],
  ]);
});

test('columns are found by name: any order, case, blanks, underscores, and others between', () => {
  const file = '\ufeffDEBT_ID;more;Due;debt due date;"Debt Amount";E_MAIL;Government_ID; NAME \r\n6;x;y;5;4;3;2;1\n';
  expect(linesOf(file).lines).toEqual([[2, '1', '2', '3', '4', '5', '6']]);
});

test.each([',', ';', '\t'])('the header says that %j separates', (separator) => {
  const row = ['a', 'b', 'c', '1', 'e', 'f'];
  expect(linesOf(`${COLUMNS.join(separator)}\n${row.join(separator)}\n`).lines).toEqual([[2, ...row]]);
});

test('a quoted field holds separators and doubled quotes, and elsewhere a quote is a character', () => {
  expect(rowsOf('"a, ""b""",2,"",a "b" c,,""""\n')).toEqual([[2, 'a, "b"', '2', '', 'a "b" c', '', '"']]);
});

test.each(['"a,b,c,d,e,f', 'a,b,c,d,e,"f', 'a,b,c,d,e,"f"x', 'a,b,"c" ,d,e,f', 'a,b,c,d,e,"'])(
  'a quote that is not closed where a field ends costs its own line: %s',
  (line) => {
    expect(rowsOf(`${line}\na,b,c,d,e,f\n`)).toEqual([
      [2, 'quotes', line],
      [3, 'a', 'b', 'c', 'd', 'e', 'f'],
    ]);
  },
);

test('the line that closes a quote of the line before is no record of its own, and the next one is', () => {
  const fine = ['a "b" c', '2', '3', '4', '5', '6"'] as const;
  expect(rowsOf(`"Padaria\nFilial Centro",2,3,4,5,6\n${fine.join()}\n`)).toEqual([
    [2, 'quotes', '"Padaria'],
    [3, 'quotes', 'Filial Centro",2,3,4,5,6'],
    [4, ...fine],
  ]);
  expect(rowsOf(`"Padaria\nBloco B\n\nCentro",2,3,4,5,6\n`).map(([line, reason]) => [line, reason])).toEqual([
    [2, 'quotes'],
    [3, 'columns'],
    [5, 'quotes'],
  ]);
  expect(rowsOf(`"Padaria\n${fine.join()}\n${fine.join()}\n`).map(([line]) => line)).toEqual([2, 3, 4]);
});

test.each(['a,b,c,d,e', 'a,b,c,d,e,f,g', ',', '"a,b",c,d,e,f'])('%s has not the columns of the header', (line) => {
  expect(rowsOf(line)).toEqual([[2, 'columns', line]]);
});

test('a line that is not UTF-8 is read as Windows-1252, and its neighbours are not', () => {
  const utf8 = Buffer.from('João,b,c,d,e,f\n');
  const windows = Buffer.from('Jo\xe3o \x96 S\xe3o \x80,"b,",c,d,e,f\n', 'latin1');
  expect(rowsOf(utf8, windows, utf8)).toEqual([
    [2, 'João', 'b', 'c', 'd', 'e', 'f'],
    [3, 'João – São €', 'b,', 'c', 'd', 'e', 'f'],
    [4, 'João', 'b', 'c', 'd', 'e', 'f'],
  ]);
});

test('lines of blanks are counted, and are no lines with wrong columns', () => {
  expect(linesOf(`${HEADER}\n\n  \t\n \n`)).toEqual({ lines: [], count: 3, blank: 3 });
});

test('a line may have 4,096 bytes, and not one more', () => {
  const line = (bytes: number) => `${'n'.repeat(bytes - 10)},b,c,d,e,f`;
  const found = rowsOf(`${line(LINE_LIMIT)}\r\n${line(LINE_LIMIT + 1)}\r\n`, line(LINE_LIMIT + 1));
  expect(found.map(([at, what, text]) => [at, what === 'line_too_long' ? what : text])).toEqual([
    [2, 'b'],
    [3, 'line_too_long'],
    [4, 'line_too_long'],
  ]);
});

test('a line of 100 MB is not kept, and costs itself alone', () => {
  const piece = Buffer.alloc(MIB, 'x,"');
  const splitter = new Splitter({
    record: (line, fields) => seen.push([line, ...fields.map(textOf)]),
    unreadable: (line, reason, text) => seen.push([line, reason, String(textOf(text).length)]),
  });
  const seen: Line[] = [];
  splitter.write(Buffer.from(`${HEADER}\n`));
  const before = process.memoryUsage();
  for (let each = 0; each < 100; each++) splitter.write(piece);
  const after = process.memoryUsage();
  splitter.write(Buffer.from('\na,b,c,d,e,f'));
  splitter.finish();
  expect(seen).toEqual([
    [2, 'line_too_long', expect.any(String)],
    [3, 'a', 'b', 'c', 'd', 'e', 'f'],
  ]);
  expect(Number(seen[0]?.[2])).toBeLessThan(70_000);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * MIB);
});

test.each([
  ['NUL', `${HEADER}\na\0`, 2],
  ['the end of a text', `${HEADER}\na,b,c,d,e,f\n\x1a`, 3],
  ['DEL, in a line that is too long', `${HEADER}\n${'x'.repeat(200_000)}\x7f`, 2],
  ['UTF-16', Buffer.from(`${HEADER}\n`, 'utf16le'), 1],
])('%s is no text, and the line is named', (_, file, line) => {
  expect(() => linesOf(file)).toThrow(new FileNotText(line));
});

test.each([
  ['nothing', '\n', 'name, governmentId, email, debtAmount, debtDueDate, debtId'],
  ['no debtAmount', `${HEADER.replace('debtAmount', 'value')}\n`, 'debtAmount'],
  ['email twice', `${HEADER},E-mail,e_mail\n`, 'email'],
  ['more than 4,096 bytes', `${HEADER},${'x'.repeat(LINE_LIMIT)}\n`, COLUMNS.join(', ')],
])('a header with %s is refused, and its columns are named', (_, file, columns) => {
  expect(() => linesOf(file)).toThrow(new HeaderInvalid(`the header must have each of these columns once: ${columns}`));
});
