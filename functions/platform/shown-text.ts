/**
 * Characters that nobody sees in a value. A blank of another kind is not among them: it looks like a blank, and is read as
 * one.
 */
const NOT_SHOWN = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/** U+0080..U+009F, and what Windows-1252 has in their place. Node's own decoder leaves them as they are (seen on 20.20). */
const C1 = /[\u0080-\u009f]/g;
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/**
 * The text of a column's bytes: UTF-8, else Windows-1252, which any bytes can be. `isCut`: the last character may be
 * incomplete, and is left out then.
 */
export function textOf(bytes: Uint8Array, { isCut = false } = {}): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    return text.replace(C1, (character) => WINDOWS_1252.charAt(character.charCodeAt(0) - 0x80));
  }
}

/** Escapes what cannot be seen, such as `\u200b`, and cuts at `limit` UTF-16 units; never within a character or an escape. */
export function shownValue(text: string, limit: number): string {
  let shown = '';
  for (const character of text) {
    const next = NOT_SHOWN.test(character) ? escaped(character) : character;
    if (shown.length + next.length > limit) break;
    shown += next;
  }
  return shown;
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}
