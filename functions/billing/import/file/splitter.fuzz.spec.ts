import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FileNotText, HeaderInvalid } from '../../billing.errors.js';
import { COLUMNS } from './field.js';
import { Splitter } from './splitter.js';

const RUNS = 2_000;

/** What was made of a file, or the problem that it is refused with. */
type Read = { lines: [number, ...string[]][]; count: number; blank: number } | { refused: string };

const cell = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n', '\r', ',', ',', ',', ';', '\t', '"', '""', ' ') },
  { weight: 3, arbitrary: fc.constantFrom('a,b,c,d,e,f', '"a,b",c,d,e,f', 'João', 'a@b.c', '1,"2",3,4,5,6', ',,,,,') },
  { weight: 1, arbitrary: fc.constantFrom('\ufeff', '\u00a0', '\u0085', '\0', '\x7f', '😀', 'x'.repeat(4_090)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);

const header = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(',', ';', '\t').map((separator) => COLUMNS.join(separator)) },
  { weight: 1, arbitrary: fc.constantFrom(`\ufeff${COLUMNS.join(',')},x`, '"name",x', '', `x,${COLUMNS.join(',')}`) },
);

const file = fc
  .tuple(header, fc.constantFrom('\n', '\r\n', '\r', ''), fc.array(cell, { maxLength: 40 }), fc.boolean())
  .map(([first, end, cells, utf8]) => Buffer.from(first + end + cells.join(''), utf8 ? 'utf8' : 'latin1'));

/** Where a stream is cut; the same place twice is an empty piece. */
const cuts = fc.array(fc.nat(600), { maxLength: 12 });

test('a file of any bytes is read the same however it is cut, and as the slow way reads it', () => {
  fc.assert(
    fc.property(file, cuts, (content, at) => {
      const whole = read([content]);
      expect(read(pieces(content, at))).toEqual(whole);
      expect(read(Array.from(content, (byte) => Uint8Array.of(byte)))).toEqual(whole);
      expect(whole).toEqual(slowly(content));
    }),
    { numRuns: RUNS },
  );
});

function read(parts: Uint8Array[]): Read {
  const lines: [number, ...string[]][] = [];
  const splitter = new Splitter({
    record: (line, fields) => {
      lines.push([line, ...fields.map(({ bytes, from, to }) => bytes.toString('utf8', from, to))]);
    },
    unreadable: (line, reason) => {
      lines.push([line, reason]);
    },
  });
  try {
    for (const part of parts) splitter.write(part);
    splitter.finish();
    return { lines, count: splitter.count, blank: splitter.blank };
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): Read {
  if (error instanceof FileNotText || error instanceof HeaderInvalid) return { refused: error.code };
  throw error;
}

function pieces(content: Buffer, at: number[]): Uint8Array[] {
  const places = [0, ...at.map((place) => Math.min(place, content.length)).sort((a, b) => a - b), content.length];
  return places.slice(1).map((to, each) => content.subarray(places[each], to));
}

/** The rules of the splitter, written down with no thought of memory or time. A byte is a character until it is decoded. */
function slowly(content: Buffer): Read {
  const bytes = content.toString('latin1');
  const all = bytes.split(/\r\n|\r|\n/);
  if (all.at(-1) === '') all.pop();
  const isControl = (line: string) => /[^\P{Cc}\t\u0080-\u009f]/u.test(line);
  if (all[0] === undefined) return { lines: [], count: 0, blank: 0 };
  if (isControl(all[0])) return { refused: 'BILLING.FILE_NOT_TEXT' };
  const header = all[0].replace(/^\xef\xbb\xbf/, '');
  if (header.length > 4_096) return { refused: 'BILLING.HEADER_INVALID' };
  const first = decoded(header);
  const separator = [',', ';', '\t'].find((each) => {
    const names = (fieldsOf(first, each) ?? []).map((name) => name.replace(/[\s_\ufeff]/g, '').toLowerCase());
    return COLUMNS.every((column) => names.filter((name) => name === column.toLowerCase()).length === 1);
  });
  if (separator === undefined) return { refused: 'BILLING.HEADER_INVALID' };
  if (all.some(isControl)) return { refused: 'BILLING.FILE_NOT_TEXT' };
  const names = (fieldsOf(first, separator) ?? []).map((name) => name.replace(/[\s_\ufeff]/g, '').toLowerCase());
  const rows = all.slice(1).map((line, each) => [each + 2, line] as const);
  const filled = rows.filter(([, line]) => line.length > 4_096 || !/^[ \t]*$/.test(line));
  // A quote is open, and no line with all columns has come since.
  let isOpen = false;
  const lines = filled.map(([at, line]): [number, ...string[]] => {
    if (line.length > 4_096) return [at, 'line_too_long'];
    const fields = fieldsOf(decoded(line), separator);
    const isOdd = line.split('"').length % 2 === 0;
    if (!fields || (isOpen && isOdd)) {
      isOpen = isOpen !== isOdd;
      return [at, 'quotes'];
    }
    if (fields.length !== names.length) return [at, 'columns'];
    isOpen = false;
    return [at, ...COLUMNS.map((column) => fields[names.indexOf(column.toLowerCase())] as string)];
  });
  return { lines, count: rows.length, blank: rows.length - filled.length };
}

function decoded(line: string): string {
  const bytes = Buffer.from(line, 'latin1');
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  const windows = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
  return line.replace(/[\x80-\x9f]/g, (byte) => windows[byte.charCodeAt(0) - 0x80] as string);
}

/** By a grammar: fields in quotes or without, with separators between. */
function fieldsOf(line: string, separator: string): string[] | undefined {
  const one = `(?:"(?:[^"]|"")*"|(?!")[^${separator}]*)`;
  if (!new RegExp(`^${one}(?:${separator}${one})*$`, 'su').test(line)) return undefined;
  const each = new RegExp(`(?<=^|${separator})${one}(?=${separator}|$)`, 'gsuy');
  const fields: string[] = [];
  for (let at = 0; at <= line.length; at = each.lastIndex + 1) {
    each.lastIndex = at;
    const [field = ''] = each.exec(line) ?? [];
    each.lastIndex = at + field.length;
    fields.push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field);
  }
  return fields;
}
