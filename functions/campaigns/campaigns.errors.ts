import { Problem } from '../platform/problem.js';
import type { FileSummary, Recipients } from '../recipients/recipients.js';

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

/** A file without any acceptable number. Carries the counts. */
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

/** Throws FileEmpty for a file without any acceptable number. It becomes no campaign, so no rejects are kept. */
export function requireNumbers(recipients: Recipients): void {
  if (recipients.counts.accepted === 0) throw new FileEmpty({ ...recipients.summary(), rejects_kept: 0 });
}

/** A file over the limit. The detail names the limit. */
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
