import { randomInt } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { randomFrom } from '../../testing/random.js';
import { shownValue, textOf } from '../platform/shown-text.js';
import { type FileLayout, layoutOf } from './file/file-layout.js';
import { asSeen } from './number/blanks.js';
import { AREA_CODES, foreign, reasonOf } from './number/phone-number.js';
import { BLANK, writtenNumber } from './number/written-number.js';
import { FileIsNotText } from './recipients.errors.js';
import { RecipientsFile } from './recipients-file.js';

/** A failure prints its case's seed: put it here and set CASES to 1 to see that case again. */
const SEED = randomInt(2 ** 31);
const CASES = 5_000;
/** Fewer than an opening quote may have blanks before it, in bytes. */
const FRAGMENTS = 40;

type Random = (below: number) => number;

it(`any file is read as the plain reading of the rules says, however it is cut (seed ${SEED})`, async () => {
  const seen = new Set<string>();
  for (let seed = SEED; seed < SEED + CASES; seed++) {
    const next = randomFrom(seed);
    const random: Random = (below) => Math.floor(next() * below);
    const bytes = randomFile(random);
    const allowDuplicates = random(2) === 0;
    const expected = reference(bytes, allowDuplicates);
    const told = `seed ${seed}: ${JSON.stringify(bytes.toString('latin1'))}`;
    const whole = await read([bytes], allowDuplicates);
    if (expected instanceof Set) expect(expected, `${told} refused at ${JSON.stringify(whole)}`).toContain(whole);
    else expect(whole, told).toEqual(expected);
    expect(await read(cut(bytes, random), allowDuplicates), `cut, ${told}`).toEqual(whole);
    note(whole, seen);
  }
  const all = [
    'accepted',
    'blank',
    'duplicate',
    'extra_digits',
    'fraction',
    'not_a_number',
    'not_in_plan',
    'not_mobile',
    'refused',
    'unknown_ddd',
    'wrong_length',
  ];
  expect([...seen].sort()).toEqual(all);
}, 120_000);

it.each([
  ['different, eight bytes each', 1_000_000, 8_000_000],
  ['the same, nothing once they are counted', 1, 0],
])('of a million numbers is held, if they are %s', async (_name, distinct, bytes) => {
  const before = bytesHeld();
  const file = new RecipientsFile();
  for (let first = 0; first < 1_000_000; first += 10_000) {
    const numbers = Array.from({ length: 10_000 }, (_, index) => 11_900_000_000 + ((first + index) % distinct));
    file.write(Buffer.from(numbers.join('\r\n').concat('\r\n')));
  }
  const recipients = await file.finish({ allowDuplicates: false });
  // A released buffer is counted until a thread of V8's own has swept it.
  await expect.poll(() => bytesHeld() - before, { timeout: 10_000 }).toBeLessThan(bytes + 2_000_000);
  const duplicate = 1_000_000 - distinct;
  expect(recipients.counts).toEqual({ lines: 1_000_000, accepted: distinct, duplicate, invalid: 0, blank: 0 });
});

/** What is reachable, in the heap and outside it. */
function bytesHeld(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

interface Read {
  counts: { lines: number; accepted: number; duplicate: number; invalid: number; blank: number };
  numbers: string[];
  rejects: { line: number; value: string; reason: string }[];
}

/**
 * The rules of docs/api.md once more, as plainly as strings and regular expressions can say them. Returns what is read, or
 * the lines that the file may be refused for. The layout is taken from layoutOf, and the reading of an odd cell from
 * writtenNumber: both have tables of their own.
 */
function reference(bytes: Buffer, allowDuplicates: boolean): Read | Set<number> {
  const head = bytes.subarray(bytes.toString('latin1').startsWith('\xef\xbb\xbf') ? 3 : 0);
  const text = head.toString('latin1');
  const filled = fillingAt(text);
  const written = filled < 0 ? text : text.slice(0, filled);
  const layout = layoutOf(Buffer.from(written, 'latin1'));
  const records = recordsOf(written, layout);
  const refused = refusals(text, filled, records);
  if (refused.size > 0) return refused;
  const counts = { lines: records.length, accepted: 0, duplicate: 0, invalid: 0, blank: 0 };
  const numbers: string[] = [];
  const rejects: Read['rejects'] = [];
  for (const { line, cell, bytes, isText } of records) {
    const value = withoutQuotes(cell);
    const said = isTooLong(cell) ? tooLong(cell) : referenceNumber(value);
    if (layout.notData.has(line) || (said === '' && !isText)) {
      counts.blank++;
    } else if (!said.startsWith('+')) {
      counts.invalid++;
      rejects.push({ line, value: shownValue(beginning(bytes), 64), reason: said === '' ? 'not_a_number' : said });
    } else if (!allowDuplicates && numbers.includes(said)) {
      counts.duplicate++;
    } else {
      counts.accepted++;
      numbers.push(said);
    }
  }
  return { counts, numbers, rejects };
}

/** A record's cell in UTF-8, with the line it begins on and the one the cell ends on. */
interface Parsed {
  line: number;
  cellLine: number;
  cell: string;
  /** The same in Latin-1. */
  bytes: string;
  isText: boolean;
}

function recordsOf(text: string, layout: FileLayout): Parsed[] {
  const records: Parsed[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const fields: { content: string; isQuoted: boolean; isField: boolean; raw: string }[] = [];
    const begin = at;
    let isField = true;
    for (;;) {
      const isCell = fields.length === layout.column;
      const ends = isCell && layout.endsAtAny ? ',;\t' : layout.separators;
      const quoted = new RegExp(`( *)"((?:[^"]|"")*)" *(?=[${ends}\\r\\n]|$)`, 'y');
      const plain = new RegExp(`[^${ends}\\r\\n]*`, 'y');
      quoted.lastIndex = at;
      plain.lastIndex = at;
      const match = isField ? quoted.exec(text) : null;
      const raw = match?.[0] ?? plain.exec(text)?.[0] ?? '';
      fields.push({
        content: match ? (match[2] as string).replaceAll('""', '"') : raw,
        isQuoted: match !== null,
        isField,
        raw,
      });
      at += raw.length;
      const end = text.charAt(at);
      if (end === '' || end === '\r' || end === '\n') break;
      // A field after a separator that is not the file's own has no quotes.
      isField = layout.separators.includes(end);
      at++;
    }
    const record = text.slice(begin, at);
    const cell = fields[layout.column];
    const beside = fields.filter((field) => field !== cell);
    const isText =
      /[,;]/.test(record.replace(cell?.raw ?? '', '')) ||
      fields.some((field) => field.isQuoted || (field.isField && /^ *"/.test(field.raw))) ||
      beside.some((field) => seen(field.raw));
    const before = fields.slice(0, layout.column + 1).map((field) => field.raw);
    records.push({
      line,
      cellLine: line + breaks(before.join('')),
      cell: textOf(Buffer.from(cell?.content ?? '', 'latin1')),
      bytes: cell?.content ?? '',
      isText,
    });
    line += breaks(record) + 1;
    at += text.startsWith('\r\n', at) ? 2 : 1;
  }
  return records;
}

/** Of a cell a reject keeps 196 bytes, which may end within a character. */
function beginning(bytes: string): string {
  return textOf(Buffer.from(bytes, 'latin1').subarray(0, 196), { isCut: bytes.length >= 196 });
}

function fillingAt(text: string): number {
  const places = ['\0', '\x1a'].map((filling) => text.indexOf(filling)).filter((at) => at >= 0);
  return places.length > 0 ? Math.min(...places) : -1;
}

function seen(raw: string): boolean {
  return asSeen(Buffer.from(raw, 'latin1').toString()) !== '';
}

function breaks(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}

/** Every line that has a control character: which of them is reported depends on what is read first. */
function refusals(text: string, filled: number, records: Parsed[]): Set<number> {
  const isFilled = filled >= 0 && [...text.slice(filled)].every((byte) => '\0\x1a\r\n\t '.includes(byte));
  const controls = [...(isFilled ? text.slice(0, filled) : text).matchAll(/[^\P{Cc}\t\n\r\u0080-\u009f]/gu)];
  const c1 = records.filter(({ bytes }) => /\xc2[\x80-\x9f]/.test(bytes)).map(({ cellLine }) => cellLine);
  return new Set([...controls.map(({ index }) => breaks(text.slice(0, index)) + 1), ...c1]);
}

function withoutQuotes(cell: string): string {
  return cell.replace(/^[ \u00a0\u202f\ufeff]*"(.*)"[ \u00a0\u202f]*$/s, '$1');
}

function referenceNumber(value: string): string {
  if (!/^ *[+]?[0-9]{1,12} *$/.test(value)) {
    const number = writtenNumber(value);
    return number > 0 ? `+${number}` : number === BLANK ? '' : reasonOf(number);
  }
  const bare = value.trim();
  const ddd = `(?:${AREA_CODES.join('|')})`;
  const says = (pattern: string) => new RegExp(`^${pattern}$`).test(bare);
  if (says(`(?:\\+?55|0?)${ddd}9[0-9]{8}`)) return `+55${bare.slice(-11)}`;
  if (says('\\+(?!55)[1-9][0-9]{7,14}')) return reasonOfForeign(bare);
  if (says(`(?:\\+?55)?${ddd}[0-9]{8}`)) return 'not_mobile';
  if (says('(?:\\+?55|0?)[0-9]{2}[0-8][0-9]{8}')) return 'not_mobile';
  return says('(?:\\+?55|0?)[0-9]{11}') ? 'unknown_ddd' : 'wrong_length';
}

/** A cell this long is not read: it is refused by its characters alone. */
function isTooLong(cell: string): boolean {
  return Buffer.byteLength(cell.replace(/([ ().-])\1+/g, '$1')) > 256;
}

function tooLong(cell: string): string {
  return /^[+\d ().-]*$/.test(cell) && /\d/.test(cell) ? 'wrong_length' : 'not_a_number';
}

function reasonOfForeign(number: string): string {
  const said = foreign(number.slice(1));
  return said > 0 ? `+${said}` : reasonOf(said);
}

async function read(pieces: Uint8Array[], allowDuplicates: boolean): Promise<Read | number> {
  const file = new RecipientsFile();
  try {
    for (const piece of pieces) file.write(piece);
    const recipients = await file.finish({ allowDuplicates });
    const numbers = [...recipients.chunks(3)].flatMap((chunk) => chunk.phoneNumbers.split('\n'));
    return { counts: recipients.counts, numbers, rejects: [...recipients.rejects()] };
  } catch (error) {
    if (error instanceof FileIsNotText) return error.line;
    throw error;
  }
}

function note(result: Read | number, seen: Set<string>): void {
  if (typeof result === 'number') {
    seen.add('refused');
    return;
  }
  for (const name of ['accepted', 'duplicate', 'blank'] as const) if (result.counts[name] > 0) seen.add(name);
  for (const reject of result.rejects) seen.add(reject.reason);
}

/**
 * Pieces of text that are joined at random; a piece that stands here more often comes more often. In Latin-1, so that bytes
 * can be parts of characters.
 */
const COMMON = [
  '\n',
  '\n',
  '\r\n',
  '\r',
  '\r\n',
  ';',
  ',',
  '\t',
  ' ',
  '"',
  '"',
  '-',
  '(',
  ')',
  '.',
  '+',
  '0',
  '55',
  '9',
];
const RARE = [
  '\xc2\xa0',
  '\xe2\x80\xaf',
  '\xc2',
  '\xe2',
  '\xe2\x80',
  '\xa0',
  '\xaf',
  '\xef\xbb\xbf',
  '\xef\xbb',
  '\xe9',
];
const LONG = ['7'.repeat(300), 'x'.repeat(250), '\xf0\x9f\x98\x80'.repeat(70), '\xe6\xbc\xa2'.repeat(90), 'Ana'];
const CONTROL = ['\0', '\0', '\x1a', '\x1b', '\x7f', '\xc2\x85'];

function randomFile(random: Random): Buffer {
  let text = random(4) === 0 ? '\xef\xbb\xbf' : '';
  for (let left = random(FRAGMENTS); left > 0; left--) {
    const kind = random(100);
    if (kind < 50) text += one(COMMON, random);
    else if (kind < 85) text += randomNumber(random);
    else if (kind < 96) text += one(RARE, random);
    else text += kind < 99 || random(4) > 0 ? one(LONG, random) : one(CONTROL, random);
  }
  return Buffer.from(text, 'latin1');
}

/** Often good, often repeated (few numbers exist), and wrong in one way or another. */
function randomNumber(random: Random): string {
  const front = one(['', '', '', '0', '55', '+55', '+', '+55 ', '+44 7', '"', '"+55', '+1', '+0'], random);
  const ddd = one(['11', '11', '55', '21', '10', '23', '00', '(11) ', ''], random);
  const number = one(['987654321', '987654321', '98765-4321', '33334444', '887654321', '9876543210'], random);
  return front + ddd + number + one(['', '\n', '\r\n', '"\n', ';Ana\n', '";2\r'], random);
}

function one(list: string[], random: Random): string {
  return list[random(list.length)] as string;
}

/** Into one byte each, or pieces of up to 20 or 500 bytes, some empty. */
function cut(bytes: Buffer, random: Random): Uint8Array[] {
  const longest = [1, 20, 500][random(3)] as number;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = longest === 1 ? 1 : random(longest);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
