import { describe, expect, it } from 'vitest';
import { recipientsFromList } from '../recipients-file.js';
import { E164_LINE_BYTES, e164Lines, type RejectReason, reasonOf, toE164 } from './phone-number.js';

/** The result of an entry: '+5511987654321', or a reason, or 'blank'. */
async function said(entry: string): Promise<string> {
  const recipients = await recipientsFromList([entry], { allowDuplicates: false });
  const [chunk] = recipients.chunks(1);
  const [reject] = recipients.rejects();
  return chunk?.phoneNumbers ?? reject?.reason ?? 'blank';
}

const TWO_DIGITS = Array.from({ length: 100 }, (_, index) => String(index).padStart(2, '0'));
/** Typed from ANATEL's list of national codes, not taken from the code under test. */
const LIVING = (
  '11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 51 53 54 55 ' +
  '61 62 63 64 65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 92 93 94 95 96 97 98 99'
).split(' ');
const DEAD = TWO_DIGITS.filter((ddd) => !LIVING.includes(ddd));

describe('a Brazilian mobile number', () => {
  it.each([
    ['11987654321', 'eleven digits: DDD and number'],
    ['011987654321', 'twelve with the trunk prefix 0'],
    ['5511987654321', 'thirteen with 55'],
    ['+5511987654321', 'thirteen with +55'],
    ['(11) 98765-4321', 'brackets, a space, a hyphen'],
    ['(011) 98765-4321', 'the trunk prefix in brackets'],
    ['11.98765.4321', 'dots'],
    ['+55 (11) 98765-4321', 'all of them'],
    ['(+55) 11 98765 4321', 'a plus behind a bracket, but before every digit'],
    ['  11987654321  ', 'blanks around it'],
    ['11\u00a098765\u00a04321', 'no-break spaces'],
    ['11\u202f98765\u202f4321', 'narrow no-break spaces'],
    ['1-1-9-8-7-6-5-4-3-2-1', 'hyphens anywhere'],
    ['11\u2013987654321', 'an en dash'],
    ['11\u2003987654321', 'an em space'],
    ['\ufeff11987654321', 'a byte order mark inside'],
    ['01511987654321', 'fourteen: a carrier between 0 and the DDD'],
    ['55011987654321', 'fourteen: 0 behind 55'],
    ['+55011987654321', 'the same with a plus'],
    ['005511987654321', 'fifteen: an international prefix'],
  ])('is read from %s (%s)', async (entry) => {
    expect(await said(entry)).toBe('+5511987654321');
  });

  it('may have the DDD 55, which is no country code in front of nine digits', async () => {
    expect(await said('55987654321')).toBe('+5555987654321');
    expect(await said('055987654321')).toBe('+5555987654321');
    expect(await said('5555987654321')).toBe('+5555987654321');
  });

  it('has one of the 67 DDDs', async () => {
    expect([LIVING.length, DEAD.length]).toEqual([67, 33]);
    const numbers = LIVING.map((ddd) => `${ddd}987654321`);
    expect(await Promise.all(numbers.map(said))).toEqual(numbers.map((number) => `+55${number}`));
  });

  it('has none of the other 33, whichever form it comes in', async () => {
    const forms = DEAD.flatMap((ddd) => [`${ddd}987654321`, `0${ddd}987654321`, `55${ddd}987654321`]);
    expect(await Promise.all(forms.map(said))).toEqual(forms.map(() => 'unknown_ddd'));
  });
});

describe('a number of another country', () => {
  it.each([
    '+12025550123',
    '+351912345678',
    '+447911123456',
    '+390612345678',
    '+4930123456',
    '+5491123456789',
    '+33612345678',
    '+8613812345678',
    '+80012345678',
  ])('is taken as it is with a plus: %s', async (entry) => {
    expect(await said(entry)).toBe(entry);
  });

  it.each([
    ['+1 (202) 555-0123', '+12025550123'],
    ['+351 912 345 678', '+351912345678'],
  ])('loses its punctuation: %s', async (entry, number) => {
    expect(await said(entry)).toBe(number);
  });
});

describe('a reject has its reason', () => {
  const table: Record<RejectReason, [entry: string, why: string][]> = {
    not_a_number: [
      ['abc', 'letters'],
      ['11987654321a', 'a letter behind a good number'],
      ['1198765_4321', 'punctuation that is not taken out'],
      ['11+987654321', 'a plus in the middle'],
      ['11987654321+', 'a plus behind'],
      ['++5511987654321', 'two pluses'],
      ['+55+11987654321', 'two pluses, one in front'],
      ['+', 'a plus and no digit'],
      ['()-.', 'only punctuation'],
      ['-', 'a hyphen'],
      ['\uff11\uff11987654321', 'full-width digits'],
      ['\u0661\u0661987654321', 'Arabic digits'],
      ['"11987654321"', 'quotes, which only a file has'],
      ['1.1987654321E10', 'what a spreadsheet makes of it'],
      ['a12', 'letters before a wrong length'],
    ],
    not_mobile: [
      ['1133334444', 'ten digits with a living DDD: a landline'],
      ['1198765432', 'ten digits that begin like a mobile number'],
      ['(21) 3333-4444', 'the same with punctuation'],
      ['551133334444', 'twelve with 55: a landline'],
      ['+551133334444', 'the same with a plus'],
      ['5511987654', 'ten digits that are 55, which is a living DDD'],
      ['11887654321', 'the ninth digit is not 9'],
      ['5511887654321', 'the same with 55'],
      ['+5511887654321', 'the same with +55'],
      ['011887654321', 'the same with 0'],
      ['01133334444', 'eleven digits, a landline behind 0: the ninth digit is not 9'],
      ['00887654321', 'the ninth digit is looked at before the DDD'],
      ['10887654321', 'likewise'],
    ],
    wrong_length: [
      ['1', 'one digit'],
      ['190', 'an emergency number'],
      ['87654321', 'eight'],
      ['987654321', 'nine, without a DDD'],
      ['1033334444', 'ten with an unknown DDD'],
      ['0987654321', 'ten, a number without a DDD behind 0'],
      ['551033334444', 'twelve with 55 and an unknown DDD'],
      ['119876543210', 'twelve with neither 0 nor 55'],
      ['1198765432109', 'thirteen without 55'],
      ['0119876543210', 'thirteen behind 0'],
      ['+5511987654', 'ten with +55: with a plus 55 is Brazil'],
      ['+55987654321', 'eleven with +55: never the DDD 55'],
      ['+551198765432109', 'fifteen with +55'],
      ['+1234567890', 'ten digits behind a plus, of which the plan of +1 has eleven'],
      ['+123456789012345', 'fifteen'],
      ['+5', 'one digit with a plus'],
      ['+1234567', 'seven with a plus'],
      ['+1234567890123456', 'sixteen with a plus'],
      ['+011987654321', 'no country code begins with 0'],
      ['+0011987654321', 'likewise'],
      ['1'.repeat(400), 'four hundred digits'],
      ['0'.repeat(400), 'four hundred zeros'],
      [`+${'9'.repeat(400)}`, 'four hundred with a plus'],
    ],
    unknown_ddd: [
      ['10987654321', 'eleven digits'],
      ['20987654321', 'likewise'],
      ['00987654321', 'eleven with 00'],
      ['01987654321', 'eleven with 01: the 0 is no trunk prefix'],
      ['010987654321', 'behind 0'],
      ['001987654321', 'behind two zeros'],
      ['5523987654321', 'with 55'],
      ['+55 (23) 98765-4321', 'with +55'],
    ],
    extra_digits: [
      ['11 98765-4321 / 11 91234-5678', 'two numbers'],
      ['11987654321;11', 'a separator, which only a file has'],
      ['(11) 9876-5432 (2)', 'a counter behind a landline, which would make it a mobile'],
    ],
    fraction: [['11,987654321', 'a comma']],
    not_in_plan: [
      ['+11987654321', 'no area code begins with 1'],
      ['+999999999999999', 'no country has this calling code'],
    ],
  };

  for (const [reason, entries] of Object.entries(table)) {
    it.each(entries)(`${reason}: %s (%s)`, async (entry) => {
      expect(await said(entry)).toBe(reason);
    });
  }
});

describe('an entry of white space is blank', () => {
  it.each(['', ' ', '\t', '\r\n', '\u00a0', '\u202f', ' \t\u00a0\u202f '])('%j', async (entry) => {
    expect(await said(entry)).toBe('blank');
  });
});

describe('a number in digits', () => {
  it('is written with a plus, one a line', () => {
    const bytes = Buffer.alloc(4 * E164_LINE_BYTES, '9');
    expect(e164Lines(Float64Array.of(5511987654321), bytes)).toBe('+5511987654321');
    const numbers = Float64Array.of(10000000, 999999999999999, 5511900000000, 123456789012345);
    expect(e164Lines(numbers, bytes)).toBe('+10000000\n+999999999999999\n+5511900000000\n+123456789012345');
  });

  it('is told apart from a reject by its sign', () => {
    expect(toE164(11987654321, 11, false)).toBe(5511987654321);
    expect(reasonOf(toE164(10987654321, 11, false))).toBe('unknown_ddd');
    expect(() => reasonOf(-8)).toThrow(new RangeError('-8 is not a reject code'));
  });
});
