import { type Field, isFormula } from './field.js';

const ADDRESS_BYTES = 254;
const LOCAL_BYTES = 64;
/** RFC 1035. */
const LABEL_BYTES = 63;
const AT = 0x40;
const DASH = 0x2d;
const POINT = 0x2e;

/** Whether each byte may stand in the local part: atext of RFC 5322. */
const ATEXT = tableOf(/[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]/);
/** Whether each byte may stand in a label of the domain: letters, digits, hyphen. */
const LDH = tableOf(/[0-9A-Za-z-]/);

/**
 * Whether it is an address that a mail server takes: atoms with dots between them, one @, a domain of labels with a dot. No
 * spreadsheet would run it.
 */
export function isEmail({ bytes, from, to }: Field): boolean {
  if (to - from > ADDRESS_BYTES || from === to || isFormula(bytes[from])) return false;
  const at = bytes.subarray(from, to).indexOf(AT) + from;
  if (at <= from || at - from > LOCAL_BYTES || !areAtoms(bytes, from, at)) return false;
  return isDomain(bytes, at + 1, to);
}

/** Atoms with single dots between them. */
function areAtoms(bytes: Buffer, from: number, to: number): boolean {
  let before = POINT;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === POINT ? before === POINT : ATEXT[byte] === 0) return false;
    before = byte;
  }
  return before !== POINT;
}

function isDomain(bytes: Buffer, from: number, to: number): boolean {
  let label = from;
  for (let at = from; at <= to; at++) {
    const byte = at === to ? POINT : (bytes[at] as number);
    if (byte !== POINT) {
      if (LDH[byte] === 0) return false;
      continue;
    }
    if (at === label || at - label > LABEL_BYTES || bytes[label] === DASH || bytes[at - 1] === DASH) return false;
    if (at === to) return label > from;
    label = at + 1;
  }
  return false;
}

function tableOf(characters: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    byte < 0x80 && characters.test(String.fromCharCode(byte)) ? 1 : 0,
  );
}
