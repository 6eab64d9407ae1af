import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { brCodeOf, crc16 } from './br-code.js';

const { createStaticPix, parsePix } = createRequire(import.meta.url)('pix-utils') as {
  createStaticPix(parameters: object): { toBRCode(): string };
  parsePix(code: string): object;
};

const KEY = '12345678000195';
const EXAMPLE = { pixKey: KEY, beneficiary: 'EMPRESA FICTICIA', city: 'SAO PAULO' };
const TXID = '1L8ND9OX4A0AYZM0RC57275ZJ';

const letters = (most: number) =>
  fc
    .string({ unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 &-'), minLength: 1, maxLength: most })
    .map((text) => text.trim().replace(/ +/g, ' '))
    .filter((text) => text !== '');

describe('a BR Code', () => {
  test.each([
    [
      { cents: 100_000_000, txid: TXID },
      '00020126360014br.gov.bcb.pix01141234567800019552040000530398654101000000.005802BR5916EMPRESA FICTICIA6009SAO PAULO622905251L8ND9OX4A0AYZM0RC57275ZJ63043501',
    ],
    [
      { cents: 10_000, txid: TXID },
      '00020126360014br.gov.bcb.pix0114123456780001955204000053039865406100.005802BR5916EMPRESA FICTICIA6009SAO PAULO622905251L8ND9OX4A0AYZM0RC57275ZJ630426D3',
    ],
    [
      { cents: 5 },
      '00020126360014br.gov.bcb.pix0114123456780001955204000053039865404'.concat(
        '0.055802BR5916EMPRESA FICTICIA6009SAO PAULO62070503***63043E70',
      ),
    ],
  ])('of %o is as the vectors say', (charge, code) => {
    expect(brCodeOf({ ...EXAMPLE, ...charge })).toBe(code);
  });

  test('ends in the CRC of the check value', () => {
    expect(crc16('123456789')).toBe(0x29b1);
  });

  test('is what another library makes, and reads', () => {
    const charges = fc.record({
      pixKey: fc.constantFrom(KEY, 'contato@example.com', '+5511999999999', '123e4567-e12b-12d1-a456-426655440000'),
      beneficiary: letters(25),
      city: letters(15),
      cents: fc.integer({ min: 1, max: 9_999_999_999 }),
      txid: fc.string({
        unit: fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
        minLength: 1,
        maxLength: 25,
      }),
    });
    fc.assert(
      fc.property(charges, (charge) => {
        const code = brCodeOf(charge);
        const { pixKey, beneficiary: merchantName, city: merchantCity, cents, txid } = charge;
        const read = { merchantName, merchantCity, pixKey, transactionAmount: cents / 100, txid };
        expect(parsePix(code)).toMatchObject({ type: 'STATIC', ...read });
        expect(code).toBe(createStaticPix(read).toBRCode());
      }),
    );
  });

  test.each([
    [
      'José & Irmãos Comércio de Alimentos Ltda',
      'São José do Rio Preto',
      '5925JOSE & IRMAOS COMERCIO DE',
      '6015SAO JOSE DO RIO',
    ],
    ['Straße 10º Ofício 😀', 'Çã', '5918STRASSE 10O OFICIO', '6002CA'],
    ['Ελλάδα', '東京', '5913NAO INFORMADO', '6013NAO INFORMADO'],
    ['Twenty five letters with x yz', 'fifteen letter s', '5924TWENTY FIVE LETTERS WITH', '6014FIFTEEN LETTER'],
  ])('writes %s in %s as ASCII in upper case', (beneficiary, city, name, place) => {
    const code = brCodeOf({ ...EXAMPLE, beneficiary, city, cents: 1 });
    expect(code).toContain(`5802BR${name}60`);
    expect(code).toContain(`${place}62`);
  });

  test('is ASCII whatever the names are, and its lengths are those of its fields', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (beneficiary, city) => {
        const code = brCodeOf({ ...EXAMPLE, beneficiary, city, cents: 1 });
        expect(code).toMatch(/^[\x20-\x7e]+$/);
        expect(fieldsOf(code).map(([id]) => id)).toEqual(['00', '26', '52', '53', '54', '58', '59', '60', '62', '63']);
      }),
    );
  });

  test.each([
    { cents: 0 },
    { cents: 0.5 },
    { pixKey: '' },
    { pixKey: 'x'.repeat(78) },
    { pixKey: 'josé@example.com' },
    { txid: '' },
    { txid: 'A'.repeat(26) },
    { txid: 'A-B' },
  ])('of %o is not made', (wrong) => {
    expect(() => brCodeOf({ ...EXAMPLE, cents: 1, ...wrong })).toThrow(RangeError);
  });
});

/** The fields of a code, by their lengths. */
function fieldsOf(code: string): [id: string, value: string][] {
  const fields: [string, string][] = [];
  for (let at = 0; at < code.length; ) {
    const length = Number(code.slice(at + 2, at + 4));
    fields.push([code.slice(at, at + 2), code.slice(at + 4, at + 4 + length)]);
    at += 4 + length;
  }
  return fields;
}
