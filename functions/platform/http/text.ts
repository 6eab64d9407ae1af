import { z } from 'zod';
import { NotUtf8, ValidationProblem } from '../problem.js';

/** What a decoder puts in place of bytes that are no text. A reader cannot tell what was meant. */
export const REPLACEMENT = '\ufffd';
const BYTE_ORDER_MARKS = /^\ufeff+/;
/** Any but blanks, control and format characters, and what fonts draw as nothing: U+2800 is braille without a dot. */
const VISIBLE = /[^\p{White_Space}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u;
const CONTROL = /\p{Cc}/u;
const CONTROL_BUT_TAB_AND_NEWLINE = /[^\P{Cc}\t\n]/u;
/** Code points of a name, at most. */
const NAME_LIMIT = 200;
/** UTF-16 units of a code point, at most. */
const UNITS = 2;

/**
 * A text as a caller gave it, without byte order marks before it and with LF in place of CRLF, in JSON as in a form. Throws
 * NotUtf8 and ValidationProblem: what was spoilt on its way here must not be kept, as two spoilt passwords may be the same.
 */
export function cleanText(text: string, path: string): string {
  if (text.includes(REPLACEMENT)) throw new NotUtf8(path);
  if (!text.isWellFormed()) throw new ValidationProblem([{ path, message: 'must not hold half of a surrogate pair' }]);
  return text.replace(BYTE_ORDER_MARKS, '').replaceAll('\r\n', '\n');
}

/** Whether a text shows anything at all. */
export function isVisible(text: string): boolean {
  return VISIBLE.test(text);
}

/** Whether a text has at most `limit` Unicode code points: carriers and people count those, and not UTF-16 units. */
function hasAtMost(text: string, limit: number): boolean {
  if (text.length > limit * UNITS) return false;
  let count = 0;
  for (const _ of text) count++;
  return count <= limit;
}

/** The schema of a text that is shown to people. Its length is checked first, since the cost of the rest grows with it. */
export function textOf(limit: number, { lines }: { lines: boolean }) {
  const control = lines ? CONTROL_BUT_TAB_AND_NEWLINE : CONTROL;
  return z
    .string()
    .refine((text) => hasAtMost(lines ? text : text.trim(), limit), {
      error: `must have at most ${limit} characters`,
      abort: true,
    })
    .refine(isVisible, { error: 'must not be blank', abort: true })
    .refine(
      (text) => !control.test(lines ? text : text.trim()),
      `must not hold control characters${lines ? ' other than tab and newline' : ''}`,
    )
    .meta({ minLength: 1, maxLength: limit });
}

/** The schema of a name: trimmed, on one line. */
export function nameOf(example: string) {
  return textOf(NAME_LIMIT, { lines: false })
    .trim()
    .meta({ description: `For people; 1 to ${NAME_LIMIT} characters.`, minLength: 1, maxLength: NAME_LIMIT, example });
}
