import type { Field } from './field.js';

const QUOTE_BYTE = 0x22;

/**
 * The fields of a line in which quotes may stand. One that begins with a quote ends with one; `""` in it is a quote. In any
 * other a quote is a character like any other. Undefined: a quote is not closed, or a character follows it.
 */
export function unquoted(line: Buffer, separator: number, high: boolean): Field[] | undefined {
  const bytes = Buffer.allocUnsafe(line.length);
  const fields: Field[] = [];
  let size = 0;
  for (let at = 0; ; at++) {
    const from = size;
    if (line[at] === QUOTE_BYTE) {
      for (at++; ; at++) {
        if (at >= line.length) return undefined;
        if (line[at] === QUOTE_BYTE && line[++at] !== QUOTE_BYTE) break;
        bytes[size++] = line[at] as number;
      }
      if (at < line.length && line[at] !== separator) return undefined;
    } else for (; at < line.length && line[at] !== separator; at++) bytes[size++] = line[at] as number;
    fields.push({ bytes, from, to: size, high });
    if (at >= line.length) return fields;
  }
}
