import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REJECT_REASONS } from './number/phone-number.js';
import { FileIsNotText, PhoneColumnUnknown } from './recipients.errors.js';
import type { Recipients } from './recipients.js';
import { RecipientsFile, recipientsFromList } from './recipients-file.js';
import { VALUE_LIMIT } from './reject-list.js';

const RUNS = 2_000;
const E164 = /^\+[1-9]\d{7,14}$/;

/** The result of a file, or the line that it was refused for. */
type Read = { counts: Recipients['counts']; numbers: string[]; rejects: object[] } | { refusedAt: number };

/** A file as systems and people make them: bytes of any kind, or a text of numbers in one encoding or another. */
const file = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .tuple(fc.array(cell(), { maxLength: 30 }), fc.constantFrom<BufferEncoding>('utf8', 'latin1', 'utf16le'))
    .map(([cells, encoding]) => new Uint8Array(Buffer.from(cells.join(''), encoding))),
  // A text in UTF-8, in which one byte is replaced and the last few may be missing.
  fc.tuple(fc.array(cell(), { maxLength: 30 }), fc.nat(), fc.nat(255), fc.nat(3)).map(([cells, at, byte, cut]) => {
    const bytes = Buffer.from(cells.join(''));
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return new Uint8Array(bytes.subarray(0, Math.max(0, bytes.length - cut)));
  }),
);

/** What stands in files of numbers, and what has no business there. */
function cell(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('11987654321', '+5521998765432', '5531987651234', '+14155550100', '123') },
    { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n', '\r', ',', ';', '\t', '"', ' ', '+', '0', '(11) ', '9') },
    { weight: 1, arbitrary: fc.constantFrom('\ufeff', '\u00a0', '\u202f', '\u2028', '\u0085', '\u0000', '\u007f') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) },
  );
}

/** Where a stream is cut; the same place twice is an empty piece. */
const cuts = fc.array(fc.nat(220), { maxLength: 12 });

/** Cases that failed once, or were feared to: tried each time. */
const KEPT: [Uint8Array, number[], boolean][] = [
  [bytes('\ufeff\ufeff11987654321'), [1, 2, 3, 4, 5], false],
  [bytes('11987654321\r\n\r\n21998765432\r'), [12, 12, 13], false],
  [bytes('"11987654321"\u00a0\n" 11987654321'), [1, 14, 15], true],
  [Uint8Array.of(0xff, 0xfe, 0x31, 0x00, 0x31, 0x00), [1], false],
  [Uint8Array.of(0xc2), [], false],
  [Uint8Array.of(0xe2, 0x80), [1], false],
  [bytes(`${'x'.repeat(300)},\u0001`), [64, 128, 196, 301], false],
];

describe('a file of any bytes', () => {
  it('is refused with its line or read whole, in pieces too, and its counts add up', async () => {
    await fc.assert(
      fc.asyncProperty(file, cuts, fc.boolean(), async (content, at, allowDuplicates) => {
        const whole = await read([content], allowDuplicates);
        expect(await read(pieces(content, at), allowDuplicates)).toEqual(whole);
        expect(
          await read(
            Array.from(content, (byte) => Uint8Array.of(byte)),
            allowDuplicates,
          ),
        ).toEqual(whole);
        if ('refusedAt' in whole) expect(whole.refusedAt).toBeGreaterThan(0);
        else isSound(whole, allowDuplicates, physicalLines(content));
      }),
      { numRuns: RUNS, examples: KEPT },
    );
  });
});

describe('a list of any strings', () => {
  it('is refused with its entry or read to its end, an entry a line, and its counts add up', async () => {
    const entry = fc.oneof(cell(), fc.string({ unit: 'binary', maxLength: 80 }), fc.constantFrom('\ud83d', '\udc00x'));
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 30 }), fc.boolean(), async (entries, allowDuplicates) => {
        const found = await outcome(() => recipientsFromList(entries, { allowDuplicates }));
        if ('refusedAt' in found) expect(entries[found.refusedAt - 1]).toMatch(/[^\P{Cc}\t\r\n]/u);
        else {
          isSound(found, allowDuplicates, entries.length);
          expect(found.counts.lines).toBe(entries.length);
        }
      }),
      { numRuns: RUNS },
    );
  });
});

/** A record may have several, and its reject tells the first. */
function physicalLines(content: Uint8Array): number {
  return Buffer.from(content)
    .toString('latin1')
    .split(/\r\n|\n|\r/).length;
}

function isSound(
  { counts, numbers, rejects }: Exclude<Read, { refusedAt: number }>,
  allowDuplicates: boolean,
  last: number,
): void {
  const { lines, accepted, duplicate, invalid, blank } = counts;
  expect(accepted + duplicate + invalid + blank).toBe(lines);
  expect([numbers.length, rejects.length]).toEqual([accepted, invalid]);
  expect(numbers.filter((number) => !E164.test(number))).toEqual([]);
  if (allowDuplicates) expect(duplicate).toBe(0);
  else expect(new Set(numbers).size).toBe(numbers.length);
  let before = 0;
  for (const { line, value, reason } of rejects as { line: number; value: string; reason: string }[]) {
    expect(line > before && line <= last).toBe(true);
    expect(value.length <= VALUE_LIMIT && value.isWellFormed() && !/[^\P{C}]/u.test(value)).toBe(true);
    expect(REJECT_REASONS).toContain(reason);
    before = line;
  }
}

function read(content: Uint8Array[], allowDuplicates: boolean): Promise<Read> {
  return outcome(async () => {
    const reading = new RecipientsFile();
    for (const piece of content) reading.write(piece);
    return reading.finish({ allowDuplicates });
  });
}

/** Any error but the documented one passes through, and fails the test. */
async function outcome(work: () => Promise<Recipients>): Promise<Read> {
  try {
    const recipients = await work();
    const numbers = [...recipients.chunks(3)].flatMap(({ phoneNumbers }) => phoneNumbers.split('\n'));
    return { counts: recipients.counts, numbers, rejects: [...recipients.rejects()] };
  } catch (error) {
    if (error instanceof FileIsNotText) return { refusedAt: error.line };
    // A first line that says `ie` or `id` names a column of other digits.
    if (error instanceof PhoneColumnUnknown) return { refusedAt: 1 };
    throw error;
  }
}

function pieces(content: Uint8Array, at: number[]): Uint8Array[] {
  const places = [0, ...at.map((place) => Math.min(place, content.length)).sort((a, b) => a - b), content.length];
  return places.slice(1).map((end, index) => content.subarray(places[index], end));
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}
