import { Problem } from '../platform/problem.js';
import { shownValue } from '../platform/shown-text.js';

/** The file, or an entry of a list, holds a control character: it is refused whole. */
export class FileIsNotText extends Problem {
  static readonly sample = (): Problem => new FileIsNotText(3);

  /** `line` counts from 1; of a list it is the index of the entry + 1. */
  constructor(readonly line: number) {
    super(400, 'CAMPAIGN.FILE_NOT_TEXT', `line ${line} of the file holds a control character: this is no text file`);
  }
}

/** Enough to find the right one, and no more than an answer should hold. */
const COLUMNS_SHOWN = 50;
const NAME_SHOWN = 64;

/**
 * The file does not have the column that was asked for; or none was asked for, and no name tells which it is. Names the
 * columns that there are.
 */
export class PhoneColumnUnknown extends Problem {
  static readonly sample = (): Problem => new PhoneColumnUnknown(['cpf', 'nome']);

  /** `columns`: those that there are, by name, or by number from 1 where they have none. */
  constructor(readonly columns: (string | number)[]) {
    const shown = columns
      .slice(0, COLUMNS_SHOWN)
      .map((column) => (typeof column === 'number' ? column : shownValue(column, NAME_SHOWN)));
    super(
      400,
      'CAMPAIGN.PHONE_COLUMN_UNKNOWN',
      `the file has no such column, or none whose name says telephone; its columns are ${shown.join(', ')}`,
      { columns: shown },
    );
  }
}
