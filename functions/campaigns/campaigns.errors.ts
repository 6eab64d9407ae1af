import { Problem } from '../platform/problem.js';
import { shownValue } from '../recipients/number/blanks.js';
import type { LineCounts } from '../recipients/recipients.js';
import type { Reject } from '../recipients/reject-list.js';

/** No such campaign, a deleted one, or another company's. */
export class CampaignNotFound extends Problem {
  constructor() {
    super(404, 'CAMPAIGN.NOT_FOUND', 'there is no such campaign');
  }
}

/** Steering that the transition table does not allow. */
export class InvalidTransition extends Problem {
  static readonly sample = (): Problem => new InvalidTransition('pause', 'enviado');

  constructor(command: string, status: string) {
    super(409, 'CAMPAIGN.INVALID_TRANSITION', `a campaign that is "${status}" cannot take "${command}"`);
  }
}

/** The form has no file. */
export class FileMissing extends Problem {
  constructor(detail = 'the form has no part "file"; send the numbers as a file, one a line') {
    super(400, 'CAMPAIGN.FILE_MISSING', detail);
  }
}

/** What a file came to, as answers show it. */
export interface FileSummary extends LineCounts {
  /** The column that was read: its name where the file has a header, else its number from 1. */
  phone_column: string | number;
  /** Of the invalid lines, those that the campaign keeps. */
  rejects_kept: number;
  /** The first 20. */
  rejects: Reject[];
}

const NO_NUMBER: FileSummary = {
  lines: 3,
  accepted: 0,
  duplicate: 0,
  invalid: 1,
  blank: 2,
  phone_column: 'telefone',
  rejects_kept: 0,
  rejects: [{ line: 3, value: '123', reason: 'wrong_length' }],
};

/** A file without one acceptable number. Carries the counts. */
export class FileEmpty extends Problem {
  static readonly sample = (): Problem => new FileEmpty(NO_NUMBER);

  constructor(file: FileSummary) {
    const { lines, invalid, blank } = file;
    super(
      400,
      'CAMPAIGN.FILE_EMPTY',
      `the file has no acceptable number: ${lines} lines, ${invalid} invalid, ${blank} blank`,
      { file },
    );
  }
}

/** A file with control characters. */
export class FileIsNotText extends Problem {
  static readonly sample = (): Problem => new FileIsNotText(3);

  constructor(line: number) {
    super(400, 'CAMPAIGN.FILE_NOT_TEXT', `line ${line} of the file holds a control character: this is no text file`);
  }
}

/** The column with the numbers is not the one that was asked for, and none that can be told. Names those that there are. */
export class PhoneColumnUnknown extends Problem {
  static readonly sample = (): Problem => new PhoneColumnUnknown(['cpf', 'nome']);

  constructor(columns: (string | number)[]) {
    const shown = columns.slice(0, COLUMNS_SHOWN).map((column) => (typeof column === 'number' ? column : cut(column)));
    super(
      400,
      'CAMPAIGN.PHONE_COLUMN_UNKNOWN',
      `the file has no such column, or none whose name says telephone; its columns are ${shown.join(', ')}`,
      { columns: shown },
    );
  }
}

/** Enough to find the right one, and no more than an answer should hold. */
const COLUMNS_SHOWN = 50;
const NAME_SHOWN = 64;

function cut(name: string): string {
  return shownValue(name, NAME_SHOWN);
}

/** A file over the limit, which it names. */
export class FileTooLarge extends Problem {
  static readonly sample = (): Problem => new FileTooLarge(9);

  constructor(limitMib: number) {
    super(413, 'CAMPAIGN.FILE_TOO_LARGE', `the file is over the limit of ${limitMib} MiB`);
  }
}

/** The same Idempotency-Key came with other content. */
export class IdempotencyKeyReused extends Problem {
  constructor() {
    super(
      422,
      'CAMPAIGN.IDEMPOTENCY_KEY_REUSED',
      'this Idempotency-Key was used in the last 24 hours for another campaign; take a new key',
    );
  }
}

/** An export that a function cannot answer whole. */
export class ExportTooLarge extends Problem {
  constructor() {
    super(
      413,
      'EXPORT.TOO_LARGE',
      'the export is over the limit of 5 MB; ask for parts of it with "after" and "limit"',
    );
  }
}
