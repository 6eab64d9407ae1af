import { isVisible } from '../../../platform/http/text.js';
import { governmentIdKind } from '../../government-id.js';
import { centsOf, MAX_CENTS } from './amount.js';
import { isEmail } from './email.js';
import { COLUMNS, type Column, type Field, isFormula } from './field.js';

/** Why a column is refused. */
export const FIELD_REASONS = [
  'name_invalid',
  'government_id_invalid',
  'email_invalid',
  'amount_invalid',
  'amount_not_positive',
  'amount_too_large',
  'due_date_invalid',
  'due_date_out_of_range',
  'debt_id_invalid',
] as const;
export type FieldReason = (typeof FIELD_REASONS)[number];

/** The first column that is wrong. */
export interface Failure {
  column: Column;
  reason: FieldReason;
}

/** How a company reads its files. */
export interface FieldRules {
  /** Today in America/Sao_Paulo, in days from 2000-01-01. */
  today: number;
  /** Whether a document needs right check digits. */
  strict: boolean;
}

/** PostgreSQL counts its dates from here. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;
/** Where a due factor means one date only. */
const PAST_DAYS = 3_000;
const FUTURE_DAYS = 5_500;
const NAME_POINTS = 200;
const GOVERNMENT_ID_LENGTH = 14;
const UUID_LENGTH = 36;
const UUID_BYTES = 16;
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const CONTROL = /\p{Cc}/u;

const SPACE = 0x20;
const DASH = 0x2d;
const POINT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;

/** Days from 2000-01-01 of a date `YYYY-MM-DD`. */
export function dayOf(date: string): number {
  return (Date.parse(date) - EPOCH_MS) / DAY_MS;
}

/**
 * Reads the six columns of a line, in the order of COLUMNS. What it has read stands in its properties until the next line; no
 * string is made of an ASCII line.
 */
export class DebtFields {
  /** The bytes of the name and of the e-mail are in the line. */
  name!: Field;
  email!: Field;
  readonly governmentId: Field = fieldOf(GOVERNMENT_ID_LENGTH);
  cents = 0;
  /** Days from 2000-01-01. */
  dueDay = 0;
  readonly debtId = Buffer.alloc(UUID_BYTES);

  constructor(private readonly rules: FieldRules) {}

  /** Undefined: all six are right. Takes the blanks off around each field. */
  read(fields: readonly Field[]): Failure | undefined {
    for (let each = 0; each < COLUMNS.length; each++) {
      const reason = this.#read(each, fields[each] as Field);
      if (reason) return { column: COLUMNS[each] as Column, reason };
    }
    return undefined;
  }

  #read(each: number, field: Field): FieldReason | undefined {
    trim(field);
    switch (COLUMNS[each]) {
      case 'name':
        this.name = field;
        return isName(field) ? undefined : 'name_invalid';
      case 'governmentId':
        return this.#readGovernmentId(field) ? undefined : 'government_id_invalid';
      case 'email':
        this.email = field;
        return isEmail(field) ? undefined : 'email_invalid';
      case 'debtAmount':
        return this.#readAmount(field);
      case 'debtDueDate':
        return this.#readDueDate(field);
      default:
        return this.#readDebtId(field) ? undefined : 'debt_id_invalid';
    }
  }

  /** Kept as text, since zeros may lead it: 1 to 14 digits, or a CNPJ with letters. */
  #readGovernmentId({ bytes, from, to }: Field): boolean {
    const kept = this.governmentId;
    let size = 0;
    let letters = 0;
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      if (isBlank(byte) || byte === DASH || byte === POINT || byte === SLASH) continue;
      if (size === GOVERNMENT_ID_LENGTH) return false;
      if (byte >= 0x41 && byte <= 0x5a) letters++;
      else if (!isDigit(byte)) return false;
      kept.bytes[size++] = byte;
    }
    kept.to = size;
    if (letters > 0 && !(size === GOVERNMENT_ID_LENGTH && isDigit(kept.bytes[12]) && isDigit(kept.bytes[13])))
      return false;
    if (!this.rules.strict) return size > 0;
    return governmentIdKind(kept.bytes.toString('latin1', 0, size)) !== 'unverified';
  }

  #readAmount(field: Field): FieldReason | undefined {
    const cents = centsOf(field);
    if (cents === undefined) return 'amount_invalid';
    if (cents === 0) return 'amount_not_positive';
    if (cents > MAX_CENTS) return 'amount_too_large';
    this.cents = cents;
    return undefined;
  }

  #readDueDate({ bytes, from, to }: Field): FieldReason | undefined {
    if (to - from !== 10 || bytes[from + 4] !== DASH || bytes[from + 7] !== DASH) return 'due_date_invalid';
    const year = numberAt(bytes, from, 4);
    const month = numberAt(bytes, from + 5, 2);
    const day = numberAt(bytes, from + 8, 2);
    // Not-a-number fits no month.
    if (!(year >= 0 && day >= 1 && day <= daysOf(year, month))) return 'due_date_invalid';
    const date = new Date(0).setUTCFullYear(year, month - 1, day);
    this.dueDay = (date - EPOCH_MS) / DAY_MS;
    const { today } = this.rules;
    return this.dueDay < today - PAST_DAYS || this.dueDay > today + FUTURE_DAYS ? 'due_date_out_of_range' : undefined;
  }

  #readDebtId({ bytes, from, to }: Field): boolean {
    if (to - from !== UUID_LENGTH) return false;
    let half = 0;
    for (let at = 0; at < UUID_LENGTH; at++) {
      const byte = bytes[from + at] as number;
      if (at === 8 || at === 13 || at === 18 || at === 23) {
        if (byte !== DASH) return false;
        continue;
      }
      const value = HEX[byte] as number;
      if (value > 15) return false;
      const place = half >> 1;
      this.debtId[place] = half & 1 ? (this.debtId[place] as number) | value : value << 4;
      half++;
    }
    return true;
  }
}

/** The value of each byte as a hexadecimal digit; 16: it is none. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 16 : value;
});

function fieldOf(size: number): Field {
  return { bytes: Buffer.alloc(size), from: 0, to: 0, high: false };
}

/** Takes blanks off both ends, those of other alphabets too. */
function trim(field: Field): void {
  const { bytes } = field;
  while (field.from < field.to && isBlank(bytes[field.from])) field.from++;
  while (field.to > field.from && isBlank(bytes[field.to - 1])) field.to--;
  if (!field.high || ((bytes[field.from] as number) < 0x80 && (bytes[field.to - 1] as number) < 0x80)) return;
  const text = bytes.toString('utf8', field.from, field.to);
  const end = text.trimEnd();
  field.to = field.from + Buffer.byteLength(end);
  field.from = field.to - Buffer.byteLength(end.trimStart());
}

/** Nothing that a spreadsheet would run, and something that one can see. */
function isName({ bytes, from, to, high }: Field): boolean {
  if (from === to || isFormula(bytes[from])) return false;
  for (let at = from; at < to; at++) if ((bytes[at] as number) < SPACE) return false;
  if (!high) return to - from <= NAME_POINTS;
  const text = bytes.toString('utf8', from, to);
  return [...text].length <= NAME_POINTS && !CONTROL.test(text) && isVisible(text);
}

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS_OF_MONTH[month - 1] ?? 0);
}

function numberAt(bytes: Buffer, from: number, digits: number): number {
  let value = 0;
  for (let at = from; at < from + digits; at++) {
    const byte = bytes[at] as number;
    if (!isDigit(byte)) return Number.NaN;
    value = value * 10 + byte - ZERO;
  }
  return value;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === 0x09;
}
