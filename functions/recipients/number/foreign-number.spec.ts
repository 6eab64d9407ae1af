import { getCountries, getCountryCallingCode, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { expect, it } from 'vitest';
import { randomFrom } from '../../../testing/random.js';
import { foreignNumber } from './foreign-number.js';

const NUMBERS_A_COUNTRY = 60;

/** Random digits after each calling code: most are no number; many have a valid length; some are numbers. */
function samples(): string[] {
  const random = randomFrom(20_261_129);
  return getCountries().flatMap((country) =>
    Array.from({ length: NUMBERS_A_COUNTRY }, () => {
      const length = 5 + Math.floor(random() * 7);
      const national = Array.from({ length }, () => Math.floor(random() * 10)).join('');
      return `${getCountryCallingCode(country)}${national}`.slice(0, 15);
    }),
  );
}

it('what the library calls valid, number for number, is a number of another country', () => {
  const all = samples();
  const valid = all.filter((digits) => {
    const parsed = parsePhoneNumberFromString(`+${digits}`);
    return parsed?.number === `+${digits}` && parsed.isValid();
  });
  expect(all.filter((digits) => foreignNumber(digits) === digits)).toEqual(valid);
  expect(valid.length).toBeGreaterThan(500);
});

it.each([
  ['4407911123456', '447911123456'],
  ['447911123456', '447911123456'],
  ['390612345678', '390612345678'],
  ['39612345678', 'not_in_plan'],
  ['3906123456789012', 'wrong_length'],
  ['999123456789', 'not_in_plan'],
  ['11987654321', 'not_in_plan'],
  // After Bolivia's 0 comes a carrier's number: what has to be guessed is refused.
  ['59101844089301', 'wrong_length'],
  // Argentina writes the 15 as a 9 somewhere else: what would have to be rewritten is refused.
  ['54111523456789', 'wrong_length'],
])('%s is %s', (digits, said) => {
  expect(foreignNumber(digits)).toBe(said);
});
