/** The columns that a file must have, in the order in which their rules are tried. */
export const COLUMNS = ['name', 'governmentId', 'email', 'debtAmount', 'debtDueDate', 'debtId'] as const;
export type Column = (typeof COLUMNS)[number];

/** The bytes of a column, UTF-8, from `from` up to but not including `to`. */
export interface Field {
  bytes: Buffer;
  from: number;
  to: number;
  /** Whether the line has bytes that are not ASCII. */
  high: boolean;
}

/** A field for each column, over the same bytes. */
export function fieldsOf(bytes: Buffer): Field[] {
  return COLUMNS.map(() => ({ bytes, from: 0, to: 0, high: false }));
}

/** Whether a spreadsheet would run a value that begins so: `= + - @`. */
export function isFormula(byte: number | undefined): boolean {
  return byte === 0x3d || byte === 0x2b || byte === 0x2d || byte === 0x40;
}
