import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonOf } from './phone-number.js';
import { BLANK, writtenNumber } from './written-number.js';

/** '+5511987654321', or a reason, or 'blank'. */
function said(text: string): string {
  const number = writtenNumber(text);
  if (number === BLANK) return 'blank';
  return number > 0 ? `+${number}` : reasonOf(number);
}

describe('a fraction', () => {
  it.each([
    '21987654321.0',
    '21987654321.00',
    '21987654321,0',
    '+5521987654321.0',
    ' 21987654321.0 ',
    '021987654321.000',
  ])('of zeros is dropped: %s', (text) => {
    expect(said(text)).toBe('+5521987654321');
  });

  it.each([
    ['1198765432.0', 'not_mobile'],
    ['2198765432,00', 'not_mobile'],
    ['119876543.21', 'fraction'],
    ['1198765432.1', 'fraction'],
    ['21987654321.5', 'fraction'],
    ['11987654321,25', 'fraction'],
    ['11.987.654.321,00', 'fraction'],
    ['1198765.0000', 'wrong_length'],
    ['1.1987654321E10', 'not_a_number'],
    ['1198765432E1', 'not_a_number'],
    ['1,19877E+10', 'not_a_number'],
  ])('leaves %s to be judged, or is refused', (text, reason) => {
    expect(said(text)).toBe(reason);
  });
});

describe('groups that people write', () => {
  it.each([
    '11.98765.4321',
    '11.987.654.321',
    '11.987654321',
    '(11) 9.8765-4321',
    '(11)98765.4321',
    '11 9 8765 4321',
    '11 98 765 43 21',
    '(011) 98765-4321',
    '+55 11 9 8765-4321',
    '55-11-98765-4321',
    '1 1 9 8 7 6 5 4 3 2 1',
    '11\u200e98765\u20114321',
    '\u202a+55\u00a011\u202f98765\u22124321\u202c',
    '11 98765\u00ad-4321',
  ])('stay one number: %s', (text) => {
    expect(said(text)).toBe('+5511987654321');
  });

  it('may end in zeros', () => {
    expect(said('11.98765.0000')).toBe('+5511987650000');
    expect(said('(11) 98765-0000')).toBe('+5511987650000');
  });
});

describe('digits beside a number', () => {
  it.each([
    '(11) 9876-5432 (2)',
    '11 9876-5432 1',
    '(11) 98765-4321 (2)',
    '11987654321 ramal 12',
    '11 98765-4321 r. 2',
    '11987654321 x12',
    '11987654321/2',
    '11987654321 / 21987654321',
    '11987654321 21987654321',
    '11987654321 e 21987654321',
    '11987654321\n21987654321',
    '1) 11987654321',
    '1) 98765-4321',
    '1 (19) 9876-5432',
    '91987-6543 (21)',
    '91987-6543 21',
    '9198-7654 321',
    '119.876.543-21',
    '119.87654.32-1',
    '+44 7911 12345 6',
    '+351 912345 (678)',
    '+43664123456 12',
    '+43 664 123456-12',
    '+49 30 1234567-123',
    '1. 11 98765-4321',
  ])('are refused as what they are: %s', (text) => {
    expect(said(text)).toBe('extra_digits');
  });
});

describe('prefixes', () => {
  it.each([
    '0 15 11 98765-4321',
    '0055 11 98765-4321',
    '+55 (0)11 98765-4321',
    '+55 0 15 11 98765-4321',
    '55 (0) 11 98765-4321',
    '(0xx11) 98765-4321',
    '0XX11 98765-4321',
    '(0xx) 11 98765-4321',
    '0 (xx11) 98765-4321',
    '+55 (0xx11) 98765-4321',
    '0**11 98765-4321',
  ])('are no part of the number: %s', (text) => {
    expect(said(text)).toBe('+5511987654321');
  });

  it.each([
    ['+44 (0)7911 123456', '+447911123456'],
    ['+44 07911 123456', '+447911123456'],
    ['0044 7911 123456', '+447911123456'],
    ['+34 (0)612 345 678', '+34612345678'],
    ['006581234567', '+6581234567'],
    ['0047 406 12 345', '+4740612345'],
    ['0045 34 41 23 45', '+4534412345'],
    ['+39 06 1234 5678', '+390612345678'],
    ['+39 (0)6 1234 5678', '+390612345678'],
    ['+1 (202) 555-0123', '+12025550123'],
  ])('of other countries go by their numbering plan: %s', (text, number) => {
    expect(said(text)).toBe(number);
  });

  it.each(['90 15 11 98765-4321', '9011987654321', '0 04 98765-4321', '00 11 9876-5432', '+54 11 15 2345-6789 00'])(
    'that are none are refused: %s',
    (text) => {
      expect(writtenNumber(text)).toBeLessThan(0);
    },
  );
});

describe('any text', () => {
  it('comes to the digits that stand in it, in their order, or to no number', () => {
    const pieces = fc.array(fc.constantFrom(...' ().-+0123456789x,\u00a0\u200b'), { maxLength: 24 });
    const near = fc.tuple(
      fc.constantFrom('', '+55', '0', '55', '0xx', '1 '),
      pieces,
      fc.constantFrom('11987654321', '98765-4321'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          pieces,
          near.map(([a, b, c]) => [a, ...b, c]),
        ),
        (parts) => {
          const text = parts.join('');
          const number = writtenNumber(text);
          if (number <= 0) return;
          const digits = text.replace(/[.,]0+ *$/, '').replace(/\D/g, '');
          // Another country's number may lose a prefix: what stands after it is the same.
          const kept = String(number).startsWith('55') ? String(number).slice(2) : String(number).slice(-6);
          expect(digits.endsWith(kept) || text.replace(/\D/g, '').endsWith(kept)).toBe(true);
        },
      ),
      { numRuns: 20_000 },
    );
  });

  it('costs little, however long it is', () => {
    const texts = [
      '1 '.repeat(200_000),
      '(0'.repeat(200_000),
      `${'1'.repeat(400_000)}x`,
      ' '.repeat(400_000),
      '1,'.repeat(200_000),
      '+'.repeat(400_000),
    ];
    expect(texts.map(said)).toEqual([
      ...['wrong_length', 'wrong_length', 'not_a_number', 'blank', 'not_a_number', 'not_a_number'],
    ]);
  });
});
