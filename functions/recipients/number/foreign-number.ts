import { type CountryCode, getCountries, getCountryCallingCode, Metadata } from 'libphonenumber-js/max';

/**
 * What the library's Metadata has at run time and its types do not show. The spec next to this file compares the outcome
 * with the library's own verdict on random numbers of every country: a change of these would show there.
 */
interface NumberingPlan {
  nationalNumberPattern(): string;
  possibleLengths(): number[];
  nationalPrefixForParsing(): string | undefined;
  type(name: string): { pattern(): string } | undefined;
}

/** The kinds of numbers that Google's metadata has patterns for. */
const TYPES = [
  ...['FIXED_LINE', 'MOBILE', 'PREMIUM_RATE', 'TOLL_FREE', 'SHARED_COST', 'VOIP', 'PERSONAL_NUMBER', 'PAGER', 'UAN'],
  'VOICEMAIL',
];
/** Calling codes of no country, ITU-T E.164: freephone, satellites and networks. */
const OF_NO_COUNTRY = ['800', '808', '870', '878', '881', '882', '883', '888', '979'];
/** Calling codes have one to three digits, and none is the beginning of another. */
const LONGEST_CALLING_CODE = 3;

/** How the countries of one calling code number their telephones, compiled once: the library compiles anew each time. */
interface Plan {
  /** For each country: whether it has the number at all, then whether the number is of a known kind. */
  countries: { general: RegExp; kinds: RegExp }[];
  lengths: Set<number>;
  /** What is dialled before a national number and is no part of it, such as the 0 of `+44 (0)7911 123456`. */
  nationalPrefix: RegExp | undefined;
}

/** Why digits are no number of another country. */
type ForeignFault = 'wrong_length' | 'not_in_plan';

/**
 * The number that `digits`, calling code first, stand for: with the national prefix taken out where only that makes it one.
 * Source of all rules: Google's libphonenumber metadata, as the package libphonenumber-js carries it.
 */
export function foreignNumber(digits: string): string | ForeignFault {
  const callingCode = callingCodeOf(digits);
  const plan = callingCode === undefined ? undefined : planOf(callingCode);
  if (callingCode === undefined || !plan) return 'not_in_plan';
  const national = digits.slice(callingCode.length);
  if (isNumber(plan, national)) return digits;
  const bare = withoutPrefix(plan, national);
  if (bare !== undefined && isNumber(plan, bare)) return callingCode + bare;
  return plan.lengths.has(national.length) ? 'not_in_plan' : 'wrong_length';
}

/** Undefined where there is no prefix, or where it has captured a part of the number, which its country would rewrite. */
function withoutPrefix(plan: Plan, national: string): string | undefined {
  const match = plan.nationalPrefix?.exec(national);
  if (!match || match[0] === '' || match.slice(1).some((part) => part !== undefined)) return undefined;
  return national.slice(match[0].length);
}

function isNumber(plan: Plan, national: string): boolean {
  if (!plan.lengths.has(national.length)) return false;
  return plan.countries.some(({ general, kinds }) => general.test(national) && kinds.test(national));
}

const plans = new Map<string, Plan>();
let countriesOf: Map<string, CountryCode[]> | undefined;

function callingCodeOf(digits: string): string | undefined {
  countriesOf ??= countriesByCallingCode();
  for (let length = 1; length <= LONGEST_CALLING_CODE; length++) {
    const code = digits.slice(0, length);
    if (countriesOf.has(code)) return code;
  }
  return undefined;
}

function countriesByCallingCode(): Map<string, CountryCode[]> {
  const found = new Map<string, CountryCode[]>(OF_NO_COUNTRY.map((code) => [code, []]));
  for (const country of getCountries()) {
    const code = getCountryCallingCode(country);
    found.set(code, [...(found.get(code) ?? []), country]);
  }
  return found;
}

function planOf(callingCode: string): Plan | undefined {
  const known = plans.get(callingCode);
  if (known) return known;
  const countries = countriesOf?.get(callingCode) ?? [];
  const raw = (countries.length > 0 ? countries : [callingCode]).map(numberingPlan);
  const prefix = raw.map((plan) => plan.nationalPrefixForParsing()).find((pattern) => pattern);
  const plan: Plan = {
    countries: raw.map((one) => ({ general: whole(one.nationalNumberPattern()), kinds: whole(kindsOf(one)) })),
    lengths: new Set(raw.flatMap((one) => one.possibleLengths())),
    nationalPrefix: prefix === undefined ? undefined : new RegExp(`^(?:${prefix})`),
  };
  plans.set(callingCode, plan);
  return plan;
}

/** Of a country, or of a calling code that is no country's. */
function numberingPlan(countryOrCode: string): NumberingPlan {
  const metadata = new Metadata();
  metadata.selectNumberingPlan(countryOrCode as CountryCode);
  return metadata.numberingPlan as Metadata['numberingPlan'] & NumberingPlan;
}

/** A kind that is absent has no pattern; one that repeats another has an empty pattern. */
function kindsOf(plan: NumberingPlan): string {
  const patterns = TYPES.map((type) => plan.type(type)?.pattern()).filter((pattern) => pattern);
  return patterns.length > 0 ? patterns.join('|') : plan.nationalNumberPattern();
}

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}
