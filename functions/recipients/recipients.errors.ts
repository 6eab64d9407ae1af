/** The file (or an entry of a JSON list) holds NUL or another control character, so it is no text: it is refused whole. */
export class FileNotText extends Error {
  readonly code = 'CAMPAIGN.FILE_NOT_TEXT';

  /** `line` counts from 1; for a JSON list it is the element's index + 1. */
  constructor(readonly line: number) {
    super(`line ${line} holds a control character: the file is not text`);
    this.name = 'FileNotText';
  }
}

/** The column that is to be read is not there, or none of the columns can be the one with the numbers. */
export class PhoneColumnUnknown extends Error {
  readonly code = 'CAMPAIGN.PHONE_COLUMN_UNKNOWN';

  /** `columns`: those that there are, by name, or by number from 1 where they have none. */
  constructor(readonly columns: (string | number)[]) {
    super('there is no such column');
    this.name = 'PhoneColumnUnknown';
  }
}
