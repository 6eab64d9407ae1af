import { textOf } from '../../platform/shown-text.js';
import { asSeen } from '../number/blanks.js';
import { writtenNumber } from '../number/written-number.js';
import { PhoneColumnUnknown } from '../recipients.errors.js';
import { namesOtherDigits, plainName, telephoneColumn } from './telephone-column.js';

/** Bytes of a file's beginning that are searched for its header and its columns. */
export const HEAD_BYTES = 64 * 1024;
/** The header is one of the first 20 lines with text: a title or a date may stand before it. */
const HEADER_WITHIN = 20;
/** `telefone 1` and `celular 2026` are names; a field with more digits is a number, valid or not. */
const NAME_DIGITS = 4;
/** `sep=;`, which Excel reads and writes. */
const SEPARATOR_LINE = /^sep=([,;\t])$/i;

/** Where the numbers of a file stand. */
export interface FileLayout {
  /** The index of the column with the numbers, from 0. */
  column: number;
  /** As the header has it; undefined where there is no header, or no name. */
  name: string | undefined;
  /** How many columns the header has; without a header, the first line with text. */
  columns: number;
  /** What separates the columns: one character, or each of `,;` and tab where the header or first line shows none. */
  separators: string;
  /** The first column ends at any of `,;` and tab: no header shows which of them separates. */
  endsAtAny: boolean;
  /** Lines, from 1, that are no data: the header, a title without a digit above it, a line `sep=;`. */
  notData: Set<number>;
}

const ANY = ',;\t';
/** The first of these that a line has is its separator: a comma stands in names and amounts, a tab in neither. */
const BY_WEIGHT = ['\t', ';', ','];

/**
 * Finds the header, the separator and the column with the numbers. `head` is the file's first HEAD_BYTES, or all of it.
 * `wanted` is the column that the request names: its name, or its number from 1. Throws PhoneColumnUnknown where there is no
 * such column; or where no name says telephone and the first column names other digits.
 */
export function layoutOf(head: Uint8Array, wanted?: string | number): FileLayout {
  const lines = textLines(textOf(head, { isCut: head.length === HEAD_BYTES }));
  const header = headerOf(lines, wanted);
  const first = header ?? lines.find((line) => !line.separator);
  const layout = {
    column: 0,
    name: undefined,
    separators: first?.separators ?? ANY,
    columns: first?.fields.length ?? 1,
    endsAtAny: !header || header.fields.length === 1,
    notData: notData(lines, header),
  };
  if (!first) return layout;
  const column = columnOf(first.fields, header !== undefined, wanted);
  const name = header && asSeen(header.fields[column] ?? '');
  return { ...layout, column, name: name || undefined, endsAtAny: layout.endsAtAny && column === 0 };
}

/** A line with text in the file's head, in fields. */
interface HeadLine {
  /** From 1; empty lines count. */
  number: number;
  fields: string[];
  separators: string;
  /** It is a line such as `sep=;`. */
  separator: boolean;
}

function columnOf(fields: string[], areNames: boolean, wanted?: string | number): number {
  const columns = fields.map((field, index) => (areNames && asSeen(field)) || index + 1);
  if (typeof wanted === 'number') {
    if (wanted > fields.length) throw new PhoneColumnUnknown(columns);
    return wanted - 1;
  }
  if (wanted !== undefined) {
    const found = areNames ? indexOfName(fields, wanted) : -1;
    if (found < 0) throw new PhoneColumnUnknown(columns);
    return found;
  }
  if (!areNames) return 0;
  const found = telephoneColumn(fields);
  if (found < 0 && namesOtherDigits(fields[0] ?? '')) throw new PhoneColumnUnknown(columns);
  return Math.max(found, 0);
}

function indexOfName(fields: string[], wanted: string): number {
  const name = plainName(wanted);
  return fields.findIndex((field) => plainName(field) === name && (name !== '' || asSeen(field) === asSeen(wanted)));
}

/**
 * The header: the line that has the wanted name; else one with a name that says telephone; else one with names of other
 * digits; else the first line, if it has no digit. Of several, the one that fills the most columns: a title, or a line of
 * groups above the header, fills fewer.
 */
function headerOf(lines: HeadLine[], wanted?: string | number): HeadLine | undefined {
  const names = lines.filter((line) => !line.separator && line.fields.every((field) => digitsOf(field) <= NAME_DIGITS));
  const first = lines.find((line) => !line.separator);
  return (
    (typeof wanted === 'string'
      ? fullest(names.filter(({ fields }) => indexOfName(fields, wanted) >= 0))
      : undefined) ??
    fullest(names.filter(({ fields }) => telephoneColumn(fields) >= 0)) ??
    fullest(names.filter((line) => !hasDigit(line) && line.fields.some(namesOtherDigits))) ??
    (first && !hasDigit(first) ? first : undefined)
  );
}

function fullest(lines: HeadLine[]): HeadLine | undefined {
  const filled = ({ fields }: HeadLine) => fields.filter((field) => asSeen(field) !== '').length;
  const most = Math.max(0, ...lines.map(filled));
  return lines.find((line) => filled(line) === most);
}

function digitsOf(text: string): number {
  return text.match(/\d/g)?.length ?? 0;
}

function notData(lines: HeadLine[], header: HeadLine | undefined): Set<number> {
  const before = lines.filter((line) => header && line.number < header.number && !hasDigit(line));
  const separators = lines.filter((line) => line.separator);
  return new Set([...before, ...separators, ...(header ? [header] : [])].map((line) => line.number));
}

function hasDigit({ fields }: HeadLine): boolean {
  return fields.some((field) => digitsOf(field) > 0);
}

/** The first lines with text, up to and with the first one that has a number: no header comes after it. */
function textLines(text: string): HeadLine[] {
  const lines: HeadLine[] = [];
  let separators: string | undefined;
  let number = 1;
  for (let at = 0; at < text.length && lines.length < HEADER_WITHIN; ) {
    const line = { number, ...lineAt(text, at, separators) };
    if (asSeen(line.fields.join(line.separators.charAt(0))) !== '') lines.push(line);
    if (line.separator && lines.length === 1) separators = line.fields[0]?.slice(-1);
    if (line.fields.some((field) => writtenNumber(field) > 0)) break;
    number += text.slice(at, line.end).match(/\r\n|\n|\r/g)?.length ?? 0;
    at = line.end;
  }
  return lines;
}

function lineAt(text: string, from: number, known?: string): Omit<HeadLine, 'number'> & { end: number } {
  const whole = /[^\r\n]*/y;
  whole.lastIndex = from;
  const line = whole.exec(text)?.[0] ?? '';
  if (from === 0 && SEPARATOR_LINE.test(asSeenLine(line)))
    return { fields: [asSeenLine(line)], separators: ANY, separator: true, end: lineEnd(text, from + line.length) };
  const unquoted = line.replace(/"(?:[^"]|"")*"/g, '');
  const separators = known ?? BY_WEIGHT.find((one) => unquoted.includes(one)) ?? ANY;
  return { ...fieldsAt(text, from, separators), separators, separator: false };
}

/** The fields of the record at `from`, as RFC 4180 has them, by the same rules as RecordScanner. */
function fieldsAt(text: string, from: number, separators: string): { fields: string[]; end: number } {
  const quoted = new RegExp(`[ ]*"((?:[^"]|"")*)"[ ]*(?=[${separators}\\r\\n]|$)`, 'y');
  const plain = new RegExp(`[^${separators}\\r\\n]*`, 'y');
  const fields: string[] = [];
  for (let at = from; ; ) {
    quoted.lastIndex = at;
    plain.lastIndex = at;
    const match = quoted.exec(text);
    const raw = match?.[0] ?? plain.exec(text)?.[0] ?? '';
    fields.push(match ? (match[1] as string).replaceAll('""', '"') : raw);
    at += raw.length;
    if (!separators.includes(text.charAt(at)) || at >= text.length) return { fields, end: lineEnd(text, at) };
    at++;
  }
}

function lineEnd(text: string, at: number): number {
  return text.startsWith('\r\n', at) ? at + 2 : Math.min(at + 1, text.length);
}

function asSeenLine(line: string): string {
  return line.replace(/[\ufeff"]/g, '').trimEnd();
}
