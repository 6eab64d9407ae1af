/** What the fonts that every reader of PDF has can write beyond Latin-1: the characters of Windows-1252. */
const BEYOND_LATIN_1 = '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ';
const WRITABLE = new RegExp(`[\\x20-\\x7e\\xa1-\\xac\\xae-\\xff${BEYOND_LATIN_1}]`);
/** Marks over letters, and characters that only join or direct others: without a letter they are nothing. */
const UNSEEN = /[\p{M}\p{Cf}\p{Cc}]/gu;
const UNKNOWN = '?';

/**
 * A text in the characters that the fonts of a boleto have. A letter with an accent that they lack loses it, any other
 * character becomes `?`. Given one that it lacks, pdfkit would write a string that readers take for another text.
 */
export function printableOf(text: string): string {
  const characters = [...text.normalize('NFC').replace(/\s+/g, ' ').trim()];
  return characters.map((each) => (WRITABLE.test(each) ? each : withoutAccent(each))).join('');
}

function withoutAccent(character: string): string {
  const bare = character.normalize('NFKD').replace(UNSEEN, '');
  if (bare === '') return '';
  return [...bare].every((each) => WRITABLE.test(each)) ? bare : UNKNOWN;
}
