/** Invisible characters: zero-width ones, marks of direction, soft hyphens, byte order marks, selectors. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}/gu;
const ALL_SEEN = /^[\x20-\x7e]*$/;
/** White space of any width, line ends too, and the Braille pattern that is all blank. */
const SPACES = /[\p{White_Space}\u2800]/gu;
/** Hyphens, dashes and minus signs of any script. */
const DASHES = /[\p{Pd}\u02d7\u2043\u2212\u2796]/gu;

/** A text as one sees it: no invisible characters, each blank as a space, each dash as a hyphen, no spaces around it. */
export function asSeen(text: string): string {
  if (ALL_SEEN.test(text)) return text.trim();
  return text.replace(UNSEEN, '').replace(SPACES, ' ').replace(DASHES, '-').trim();
}
