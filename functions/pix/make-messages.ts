import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../platform/problem.js';
import { Runtime } from '../platform/runtime.js';
import { TestMessagesRepository } from './test-messages.repository.js';

/** Of one transaction: so many rows are made in a few seconds. */
const TRANSACTION = 50_000;
/** Of one request. A function makes one transaction within its time. */
const MOST = { server: 1_000_000, function: TRANSACTION } as const;

/** Makes test messages. */
@Injectable()
export class MakeMessages {
  constructor(
    private readonly repository: TestMessagesRepository,
    private readonly runtime: Runtime,
  ) {}

  /** Messages of one call at most. */
  get most(): number {
    return MOST[this.runtime.kind];
  }

  /**
   * A client that has gone stops it after the current transaction. So does a server that is told to stop, with
   * ServiceUnavailable: the rest would take longer than its grace time. What was committed stays, then and in an outage.
   */
  async make(ispb: string, number: number, gone: AbortSignal): Promise<void> {
    for (let made = 0; made < number && !gone.aborted; made += TRANSACTION) {
      if (this.runtime.stopping.aborted)
        throw new ServiceUnavailable('the server stops; the messages made before it was told so wait');
      await this.repository.make(ispb, Math.min(TRANSACTION, number - made));
    }
  }
}
