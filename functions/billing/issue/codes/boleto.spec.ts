import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bankWithCheck,
  barcodeOf,
  barcodeOfLine,
  digitableLineOf,
  dueFactor,
  formattedLineOf,
  ourNumberOf,
} from './boleto.js';

/** It reads due dates by the base of before 2025, so it says nothing on those. */
const { codBarras2LinhaDigitavel, calculaMod11, validarCodigoComDV } = createRequire(import.meta.url)(
  '@mrmgomes/boleto-utils',
) as {
  codBarras2LinhaDigitavel(barcode: string, formatted: boolean): string;
  /** Over the 43 digits without the check digit, with 0 where a boleto has 1. */
  calculaMod11(digits: string): number;
  validarCodigoComDV(code: string, kind: 'LINHA_DIGITAVEL'): boolean;
};

/** Due date, cents, agreement, number, barcode, line. */
const VECTORS = `
  2022-10-12, 100000000,  1,      1,                 99991913601000000001700000100000000000000001, 99991.70005 00100.000009 00000.000018 1 91360100000000
  2025-02-21, 10000,      1,      2,                 99999999900000100001700000100000000000000002, 99991.70005 00100.000009 00000.000026 9 99990000010000
  2025-02-22, 10000,      1,      3,                 99992100000000100001700000100000000000000003, 99991.70005 00100.000009 00000.000034 2 10000000010000
  2026-01-01, 10000,      1,      4,                 99992131300000100001700000100000000000000004, 99991.70005 00100.000009 00000.000042 2 13130000010000
  2026-12-31, 9999999999, 1,      0,                 99999167799999999991700000100000000000000000, 99991.70005 00100.000009 00000.000000 9 16779999999999
  2026-12-31, 10000,      1,      5,                 99991167700000100001700000100000000000000005, 99991.70005 00100.000009 00000.000059 1 16770000010000
  2026-12-31, 10000,      1,      14,                99991167700000100001700000100000000000000014, 99991.70005 00100.000009 00000.000141 1 16770000010000
  2026-12-31, 1,          123456, 99999999999999999, 99991167700000000011712345699999999999999999, 99991.71235 45699.999996 99999.999990 1 16770000000001`;
const rows = VECTORS.trim()
  .split('\n')
  .map((row) => row.trim().split(/, +/) as [string, string, string, string, string, string]);
/** With the check digit that the other library puts before the due factor, so that only the rest is wrong. */
const withCheck = (head: string, free: string) =>
  `${head.slice(0, 4)}${calculaMod11(head + free) || 1}${head.slice(4)}${free}`;
const ITAU = '34196790600001000002220000005566385101214000';
const ITAU_LINE = '34192220090000556638551012140003679060000100000';

const dates = fc
  .date({ min: new Date('2018-09-01'), max: new Date('2041-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const parts = fc.record({
  agreement: fc.integer({ min: 1, max: 999_999 }),
  ourNumber: fc.bigInt({ min: 0n, max: 99_999_999_999_999_999n }),
  cents: fc.integer({ min: 1, max: 9_999_999_999 }),
  dueOn: dates,
});

describe('the due factor', () => {
  test.each([
    ['1997-10-07', 0],
    ['2000-07-03', 1000],
    ['2022-10-12', 9136],
    ['2025-02-21', 9999],
    ['2025-02-22', 1000],
    ['2025-02-23', 1001],
    ['2026-01-01', 1313],
    ['2026-12-31', 1677],
    ['2049-10-13', 9999],
    ['2049-10-14', 1000],
  ])('of %s is %d', (dueOn, factor) => {
    expect(dueFactor(dueOn)).toBe(factor);
  });

  test.each(['1997-10-06', '2026-13-01', '31/12/2026', ''])('%j has none', (dueOn) => {
    expect(() => dueFactor(dueOn)).toThrow(RangeError);
  });

  test('of the next day is one more, and after 9999 it is 1000', () => {
    fc.assert(
      fc.property(dates, (dueOn) => {
        const next = new Date(Date.parse(dueOn) + 86_400_000).toISOString().slice(0, 10);
        expect(dueFactor(next)).toBe(dueFactor(dueOn) === 9999 ? 1000 : dueFactor(dueOn) + 1);
      }),
    );
  });
});

describe('a boleto', () => {
  test.each(rows)(
    'due %s, %s cents, agreement %s, number %s is %s',
    (dueOn, cents, agreement, number, barcode, line) => {
      const ourNumber = BigInt(number);
      expect(barcodeOf({ agreement: Number(agreement), ourNumber, cents: Number(cents), dueOn })).toBe(barcode);
      expect(formattedLineOf(digitableLineOf(barcode))).toBe(line);
      expect(barcodeOfLine(line)).toBe(barcode);
      expect(ourNumberOf(barcode)).toBe(ourNumber);
    },
  );

  test('of another bank has the line that was published, and none of our numbers', () => {
    expect(digitableLineOf(ITAU)).toBe(ITAU_LINE);
    expect(barcodeOfLine(ITAU_LINE)).toBe(ITAU);
    expect(ourNumberOf(ITAU)).toBeUndefined();
  });

  test('has the line that another library makes, with its check digits', () => {
    fc.assert(
      fc.property(parts, (each) => {
        const barcode = barcodeOf(each);
        expect(barcode[4]).toBe(String(calculaMod11(barcode.slice(0, 4) + barcode.slice(5)) || 1));
        const line = digitableLineOf(barcode);
        expect(line).toBe(codBarras2LinhaDigitavel(barcode, false).replace(/\D/g, ''));
        expect(validarCodigoComDV(line, 'LINHA_DIGITAVEL')).toBe(true);
      }),
    );
  });

  test('is found again from what a person types', () => {
    fc.assert(
      fc.property(parts, (each) => {
        const barcode = barcodeOf(each);
        expect(barcodeOfLine(formattedLineOf(digitableLineOf(barcode)))).toBe(barcode);
        expect(ourNumberOf(barcode)).toBe(each.ourNumber);
      }),
    );
  });

  test('a line with one digit mistyped is none', () => {
    fc.assert(
      fc.property(parts, fc.nat({ max: 46 }), fc.integer({ min: 1, max: 9 }), (each, at, more) => {
        const line = digitableLineOf(barcodeOf(each));
        const wrong = line.slice(0, at) + ((Number(line[at]) + more) % 10) + line.slice(at + 1);
        // 0, 10 and 11 all become 1: in the part without a check digit of its own a few mistakes stay unseen, in any bank.
        const unseen = line[32] === '1' && at >= 33;
        if (!unseen) expect(barcodeOfLine(wrong)).toBeUndefined();
      }),
    );
  });

  test.each([
    ['a digit too few', '99991.70005 00100.000009 00000.000018 1 9136010000000'],
    ['a digit too many', '99991.70005 00100.000009 00000.000018 1 913601000000000'],
    ['a letter', '99991.70005 00100.000009 00000.000018 1 9136010000000O'],
    ['another check digit of the barcode', '99991.70005 00100.000009 00000.000018 2 91360100000000'],
    ['another check digit of a group', '99991.70005 00100.000008 00000.000018 1 91360100000000'],
    ['the barcode itself', '99991913601000000001700000100000000000000001'],
    ['nothing', ''],
  ])('a line with %s is none', (_, line) => {
    expect(barcodeOfLine(line)).toBeUndefined();
  });

  test.each([
    ['another bank', '34196790600001000002220000005566385101214000'],
    ['another wallet', withCheck('999916770000010000', '1800000100000000000000005')],
    ['another currency', withCheck('999816770000010000', '1700000100000000000000005')],
    ['a wrong check digit', '99992913601000000001700000100000000000000001'],
    ['a digit too few', '9999191360100000000170000010000000000000000'],
    ['letters', '9999191360100000000170000010000000000000000a'],
  ])('a barcode with %s has none of our numbers', (_, barcode) => {
    expect(ourNumberOf(barcode)).toBeUndefined();
  });

  // Each of them would move the digits after it: a boleto of another amount, or of another company.
  test.each([
    { cents: 0 },
    { cents: 10_000_000_000 },
    { cents: 1.5 },
    { agreement: 0 },
    { agreement: 1_000_000 },
    { agreement: 1.5 },
    { ourNumber: -1n },
    { ourNumber: 100_000_000_000_000_000n },
    { dueOn: '2026-02-30T' },
  ])('of %o is not made', (wrong) => {
    const right = { agreement: 1, ourNumber: 1n, cents: 100, dueOn: '2026-12-31' };
    expect(() => barcodeOf({ ...right, ...wrong })).toThrow(RangeError);
  });
});

// As these banks print them.
test.each(['001-9', '104-0', '237-2', '341-7', '033-7', '756-0'])(
  'the number of a bank is printed as %s',
  (printed) => {
    expect(bankWithCheck(printed.slice(0, 3))).toBe(printed);
  },
);
