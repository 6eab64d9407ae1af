const PUNCTUATION = /[./\-\s]/g;
const WRITTEN = /^[0-9A-Za-z./\-\s]{14,32}$/;
/** Twelve digits or letters, two check digits: IN RFB 2.229/2024. Since July 2026 numbers with letters are given out. */
const FORM = /^[0-9A-Z]{12}[0-9]{2}$/;
const ONE_DIGIT_ONLY = /^(\d)\1{13}$/;
const MAX_WEIGHT = 9;
const MIN_WEIGHT = 2;

/** A CNPJ: 14 characters, upper case, no punctuation, its check digits right. */
export type Cnpj = string & { readonly cnpj: unique symbol };

/** The CNPJ that a text writes, with or without punctuation, in either letter case; undefined when it is none. */
export function parseCnpj(text: string): Cnpj | undefined {
  if (!WRITTEN.test(text)) return undefined;
  const bare = text.replace(PUNCTUATION, '').toUpperCase();
  // 00.000.000/0000-00 and the like have right check digits, and belong to nobody.
  if (!FORM.test(bare) || ONE_DIGIT_ONLY.test(bare)) return undefined;
  const first = checkDigit(bare.slice(0, 12));
  const second = checkDigit(bare.slice(0, 12) + first);
  return bare.endsWith(`${first}${second}`) ? (bare as Cnpj) : undefined;
}

/** Modulo 11 over the ASCII codes less 48, weights 2 to 9 from the right: the rule of the numeric CNPJ, extended. */
function checkDigit(characters: string): number {
  let sum = 0;
  let weight = MIN_WEIGHT;
  for (let at = characters.length - 1; at >= 0; at--) {
    sum += (characters.charCodeAt(at) - 48) * weight;
    weight = weight === MAX_WEIGHT ? MIN_WEIGHT : weight + 1;
  }
  const rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}
