/** The file (or an entry of a JSON list) holds NUL or another control character, so it is no text: it is refused whole. */
export class FileNotText extends Error {
  readonly code = 'CAMPAIGN.FILE_NOT_TEXT';

  /** `line` counts from 1; for a JSON list it is the element's index + 1. */
  constructor(readonly line: number) {
    super(`line ${line} holds a control character: the file is not text`);
    this.name = 'FileNotText';
  }
}
