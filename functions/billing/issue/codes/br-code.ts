const CRC_POLYNOMIAL = 0x1021;
const CRC_START = 0xffff;
/** EMV and the central bank's manual of the BR Code: each field has an id, its length in two digits, and its value. */
const MOST_NAME = 25;
const MOST_CITY = 15;
const MOST_KEY = 77;
const PRINTABLE = /^[\x20-\x7e]+$/;
const NO_TXID = '***';
const TXID = /^[0-9A-Za-z]{1,25}$/;
/** In place of a name or a city of which no letter can be written: an empty field would make the code unreadable. */
const NOT_SAID = 'NAO INFORMADO';

/** What a Pix code says. */
export interface PixCharge {
  pixKey: string;
  beneficiary: string;
  city: string;
  cents: number;
  /** Up to 25 letters and digits; without it the payment carries no identification. */
  txid?: string;
}

/** The text of a Pix code with an amount (copia e cola), which is also the text of its QR code. */
export function brCodeOf({ pixKey, beneficiary, city, cents, txid }: PixCharge): string {
  if (pixKey.length > MOST_KEY || !PRINTABLE.test(pixKey))
    throw new RangeError('a pix key has 1 to 77 printable characters of ascii');
  if (txid !== undefined && !TXID.test(txid)) throw new RangeError('a txid has 1 to 25 letters and digits');
  const fields = [
    field('00', '01'),
    field('26', field('00', 'br.gov.bcb.pix') + field('01', pixKey)),
    field('52', '0000'),
    field('53', '986'),
    field('54', amountOf(cents)),
    field('58', 'BR'),
    field('59', plain(beneficiary, MOST_NAME)),
    field('60', plain(city, MOST_CITY)),
    field('62', field('05', txid ?? NO_TXID)),
    '6304',
  ].join('');
  return fields + crc16(fields).toString(16).toUpperCase().padStart(4, '0');
}

/** CRC-16/CCITT-FALSE over the characters, which are all ASCII. */
export function crc16(text: string): number {
  let crc = CRC_START;
  for (let at = 0; at < text.length; at++) {
    crc ^= text.charCodeAt(at) << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ CRC_POLYNOMIAL : crc << 1) & 0xffff;
  }
  return crc;
}

function field(id: string, value: string): string {
  return id + String(value.length).padStart(2, '0') + value;
}

/** By digits and not by division, so that no cent is rounded. */
function amountOf(cents: number): string {
  if (!Number.isSafeInteger(cents) || cents < 1) throw new RangeError(`no pix code of ${cents} cents`);
  const digits = String(cents).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** ASCII, upper case, no accents, at most so many characters, with no blank at either end. */
function plain(text: string, most: number): string {
  const ascii = text
    .normalize('NFKD')
    .toUpperCase()
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '')
    .trim();
  return ascii.slice(0, most).trim() || NOT_SAID;
}
