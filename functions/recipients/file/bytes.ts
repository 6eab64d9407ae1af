export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const PLUS = 0x2b;
export const ZERO = 0x30;
const DELETE = 0x7f;

/** Kinds of bytes in a column. A byte of kind SEPARATOR or above ends what is read. */
export const DIGIT = 0;
export const BLANK_BYTE = 1;
/** From 0x80 on: part of a UTF-8 character, or a character of another encoding. */
export const HIGH = 2;
const OTHER = 3;
export const SEPARATOR = 4;
export const LINE_END = 5;
export const CONTROL = 6;

/** A table with the kind of each byte, for fields that end at any of `separators`. */
export function byteKinds(separators: string): Uint8Array {
  const table = new Uint8Array(256).fill(OTHER);
  table
    .fill(CONTROL, 0x00, SPACE)
    .fill(DIGIT, ZERO, ZERO + 10)
    .fill(HIGH, 0x80);
  table[DELETE] = CONTROL;
  table[SPACE] = BLANK_BYTE;
  table[TAB] = BLANK_BYTE;
  table[LF] = LINE_END;
  table[CR] = LINE_END;
  for (const separator of separators) table[separator.charCodeAt(0)] = SEPARATOR;
  return table;
}
