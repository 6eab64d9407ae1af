import { HeaderInvalid } from '../../billing.errors.js';
import { COLUMNS, type Column } from './field.js';
import { unquoted } from './unquoted.js';

/** Where the columns of a file stand. */
export interface Layout {
  separator: string;
  /** How many columns each line must have. */
  columns: number;
  /** The place of each of COLUMNS, from 0. */
  places: readonly number[];
}

const SEPARATORS = [',', ';', '\t'];
/** What does not count in the name of a column. */
const IGNORED = /[\s_\ufeff]/g;

/**
 * Finds the columns by their names, in any letter case and order; further ones are left alone. The separator is the one that
 * finds most of them. Throws HeaderInvalid, with the columns that are missing or stand twice.
 */
export function layoutOf(header: Buffer): Layout {
  const [best] = SEPARATORS.map((separator) => ({ separator, names: namesOf(header, separator) })).sort(
    (a, b) => wrongIn(a.names).length - wrongIn(b.names).length,
  ) as [{ separator: string; names: string[] }];
  const { separator, names } = best;
  const wrong = wrongIn(names);
  if (wrong.length > 0) throw new HeaderInvalid(`the header must have each of these columns once: ${wrong.join(', ')}`);
  return { separator, columns: names.length, places: COLUMNS.map((column) => names.indexOf(column.toLowerCase())) };
}

function namesOf(header: Buffer, separator: string): string[] {
  const fields = unquoted(header, separator.charCodeAt(0), false) ?? [];
  return fields.map(({ bytes, from, to }) => bytes.toString('utf8', from, to).replace(IGNORED, '').toLowerCase());
}

function wrongIn(names: readonly string[]): Column[] {
  return COLUMNS.filter((column) => names.filter((name) => name === column.toLowerCase()).length !== 1);
}
