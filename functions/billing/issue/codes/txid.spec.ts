import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { debtIdOf, txidOf } from './txid.js';

const uuids = fc.uuid({ version: [1, 2, 3, 4, 5, 6, 7, 8, 15] });

describe('a txid', () => {
  test.each([
    ['1adb6ccf-ff16-467f-bea7-5f05d494280f', '1L8ND9OX4A0AYZM0RC57275ZJ'],
    ['00000000-0000-0000-0000-000000000000', '0000000000000000000000000'],
    ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'F5LXX1ZZ5PNORYNQGLHZMSP33'],
  ])('of %s is %s, and back', (debtId, txid) => {
    expect([txidOf(debtId), debtIdOf(txid)]).toEqual([txid, debtId]);
  });

  test('is 25 letters and digits, and gives back every debt', () => {
    fc.assert(
      fc.property(uuids, (debtId) => {
        expect(txidOf(debtId)).toMatch(/^[0-9A-Z]{25}$/);
        expect(debtIdOf(txidOf(debtId))).toBe(debtId);
      }),
    );
  });

  test('is the same for a UUID in upper case', () => {
    fc.assert(
      fc.property(uuids, (debtId) => {
        expect(txidOf(debtId.toUpperCase())).toBe(txidOf(debtId));
      }),
    );
  });

  test('in lower case stands for the same debt', () => {
    fc.assert(
      fc.property(uuids, (debtId) => {
        expect(debtIdOf(txidOf(debtId).toLowerCase())).toBe(debtId);
      }),
    );
  });

  test.each([
    ['one more than the last UUID', 'F5LXX1ZZ5PNORYNQGLHZMSP34'],
    ['the largest of 25 characters', 'ZZZZZZZZZZZZZZZZZZZZZZZZZ'],
    ['one character too few', '1L8ND9OX4A0AYZM0RC57275Z'],
    ['one too many', '01L8ND9OX4A0AYZM0RC57275ZJ'],
    ['another character', '1L8ND9OX4A0AYZM0RC57275Z-'],
    ['a letter that only upper case makes ASCII', '1L8ND9OX4A0AYZM0RC57275ZJ'.replace('S', 'ſ').replace('Z', 'ı')],
    ['a line break', '1L8ND9OX4A0AYZM0RC57275Z\n'],
    ['the sign of no txid', '***'],
    ['nothing', ''],
  ])('%s is none', (_, txid) => {
    expect(debtIdOf(txid)).toBeUndefined();
  });
});
