import { Problem } from '../platform/problem.js';

const NOT_TAKEN = 'Failed to insert a new user into queue, try again.';
const INVALID = 'Dados inválidos';
const NOT_READ = 'Ocorreu um erro, tenta novamente.';
const INVALID_JOB = 'Invalid job id';

/** 413: the body of a contact is over the limit of its route. */
export class ContactTooLarge extends Problem {
  constructor() {
    super(413, 'CONTACT.TOO_LARGE', 'the body is over the limit of 256 KiB');
  }
}

/** 503: too much waits, here or in the store. The same request may be sent again after `retryAfterS` whole seconds. */
export class ContactsBusy extends Problem {
  static readonly sample = (): Problem => new ContactsBusy(1);

  constructor(retryAfterS: number) {
    const headers = { 'retry-after': String(retryAfterS) };
    super(503, 'CONTACT.BUSY', 'too many contacts are waiting; send it again later', undefined, headers);
  }
}

/** 400: no job has this number, or it is no longer kept. */
export class InvalidJob extends Problem {
  static readonly sample = (): Problem => new InvalidJob(1.4);

  /** @param timer Milliseconds that the answer took. */
  constructor(timer: number) {
    super(400, 'CONTACT.INVALID_JOB', 'there is no such job, or it is kept no longer', { timer });
  }
}

/** What stands beside every problem of POST, letter by letter. */
export function besideAccepting({ status }: Problem): { message: string } {
  return { message: status >= 500 ? NOT_TAKEN : INVALID };
}

/** What stands beside every problem of GET, letter by letter. */
export function besideReading({ status, code }: Problem): { message: string } {
  if (code === 'CONTACT.INVALID_JOB') return { message: INVALID_JOB };
  return { message: status >= 500 ? NOT_READ : INVALID };
}
