import { randomInt } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { randomFrom } from '../../consumer/conformance/runner/random.js';
import { LIVING_DDDS } from './phone-number.js';
import { FileNotText } from './recipients.errors.js';
import { RecipientsFile } from './recipients-file.js';

/** A failure prints its case's seed: put it here and set CASES to 1 to see that case again. */
const SEED = randomInt(2 ** 31);
const CASES = 5_000;
/** Fewer than an opening quote may have blanks before it, in bytes. */
const FRAGMENTS = 40;

type Random = (below: number) => number;

it(`any file comes to what the plain reading of the rules says, however it is cut (seed ${SEED})`, async () => {
  const seen = new Set<string>();
  for (let seed = SEED; seed < SEED + CASES; seed++) {
    const next = randomFrom(seed);
    const random: Random = (below) => Math.floor(next() * below);
    const bytes = randomFile(random);
    const allowDuplicates = random(2) === 0;
    const expected = reference(bytes, allowDuplicates);
    const told = `seed ${seed}: ${JSON.stringify(bytes.toString('latin1'))}`;
    expect(await read([bytes], allowDuplicates), told).toEqual(expected);
    expect(await read(cut(bytes, random), allowDuplicates), `cut, ${told}`).toEqual(expected);
    note(expected, seen);
  }
  const all = [
    'accepted',
    'blank',
    'duplicate',
    'not_a_number',
    'not_mobile',
    'refused',
    'unknown_ddd',
    'wrong_length',
  ];
  expect([...seen].sort()).toEqual(all);
}, 30_000);

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
  // A buffer let go is counted until a thread of V8's own has swept it.
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

/** The rules of docs/api.md once more, as plainly as strings and regular expressions can say them; or the line refused. */
function reference(bytes: Buffer, allowDuplicates: boolean): Read | number {
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === '') lines.pop();
  const counts = { lines: lines.length, accepted: 0, duplicate: 0, invalid: 0, blank: 0 };
  const numbers: string[] = [];
  const rejects: Read['rejects'] = [];
  for (const [index, line] of lines.entries()) {
    const [column = ''] = line.split(/[,;\t]/);
    // \p{Cc}: U+0000..U+001F, U+007F..U+009F.
    if (/[^\P{Cc}\t\u0080-\u009f]/u.test(line) || /\p{Cc}/u.test(column)) return index + 1;
    const value = column.replace(/^[ \u00a0\u202f]*"([\s\S]*)"[ \u00a0\u202f]*$/, '$1');
    const said = referenceNumber(value);
    if (/^[ \t\u00a0\u202f]*$/.test(line) || (index === 0 && !/[0-9]/.test(line))) {
      counts.blank++;
    } else if (!said.startsWith('+')) {
      counts.invalid++;
      rejects.push({ line: index + 1, value: value.slice(0, 64).replace(/[\ud800-\udbff]$/, ''), reason: said });
    } else if (!allowDuplicates && numbers.includes(said)) {
      counts.duplicate++;
    } else {
      counts.accepted++;
      numbers.push(said);
    }
  }
  return { counts, numbers, rejects };
}

function referenceNumber(value: string): string {
  const bare = value.replace(/[ \u00a0\u202f().-]/g, '');
  const ddd = `(?:${LIVING_DDDS.join('|')})`;
  const says = (pattern: string) => new RegExp(`^${pattern}$`).test(bare);
  if (!says('\\+?[0-9]+')) return 'not_a_number';
  if (says(`(?:\\+?55|0?)${ddd}9[0-9]{8}`)) return `+55${bare.slice(-11)}`;
  if (says('\\+(?!55)[1-9][0-9]{7,14}')) return bare;
  if (says(`(?:\\+?55)?${ddd}[0-9]{8}`)) return 'not_mobile';
  if (says('(?:\\+?55|0?)[0-9]{2}[0-8][0-9]{8}')) return 'not_mobile';
  return says('(?:\\+?55|0?)[0-9]{11}') ? 'unknown_ddd' : 'wrong_length';
}

async function read(pieces: Uint8Array[], allowDuplicates: boolean): Promise<Read | number> {
  const file = new RecipientsFile();
  try {
    for (const piece of pieces) file.write(piece);
  } catch (error) {
    if (error instanceof FileNotText) return error.line;
    throw error;
  }
  const recipients = await file.finish({ allowDuplicates });
  const numbers = [...recipients.chunks(3)].flatMap((chunk) => chunk.phoneNumbers.split('\n'));
  return { counts: recipients.counts, numbers, rejects: [...recipients.rejects()] };
}

function note(result: Read | number, seen: Set<string>): void {
  if (typeof result === 'number') {
    seen.add('refused');
    return;
  }
  for (const name of ['accepted', 'duplicate', 'blank'] as const) if (result.counts[name] > 0) seen.add(name);
  for (const reject of result.rejects) seen.add(reject.reason);
}

/** Pieces of text that meet in every way; as often as they stand here. Latin-1, so that bytes can be cut characters. */
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
const CONTROL = ['\0', '\x1b', '\x7f', '\xc2\x85'];

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
  const front = one(['', '', '', '0', '55', '+55', '+', '+55 ', '"', '"+55', '+1', '+0'], random);
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
