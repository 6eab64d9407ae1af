import { withDeadline } from '../../platform/deadline.js';
import { ServiceUnavailable } from '../../platform/problem.js';

/** From the arrival of a request until it is answered whatever a statement does, so that no collector waits for nine seconds. */
const ANSWER_MS = 7_950;

/** No statement was done in time. What it does after all is told to the next request with the token, or expires. */
export class Late extends ServiceUnavailable {
  /** It is thrown by a timer. Without this, a process that reads its source map for the first one would be later still. */
  override readonly stack = 'Late';

  constructor() {
    super('the database does not answer');
  }
}

/**
 * Settles as the statement does; throws Late when the request has to be answered. The statement goes on.
 * @param arrivedAt When the request came, by `performance.now()`.
 */
export function inTime<T>(arrivedAt: number, statement: Promise<T>): Promise<T> {
  return withDeadline(arrivedAt + ANSWER_MS - performance.now(), statement, () => {
    throw new Late();
  });
}
