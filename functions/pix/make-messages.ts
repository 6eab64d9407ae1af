import { Injectable } from '@nestjs/common';
import { TestMessagesRepository } from './test-messages.repository.js';

/** Of one transaction: so many rows are made in a few seconds. */
const TRANSACTION = 50_000;

/** Makes test messages. */
@Injectable()
export class MakeMessages {
  constructor(private readonly repository: TestMessagesRepository) {}

  /** A client that has gone stops it after the current transaction. */
  async make(ispb: string, number: number, gone: AbortSignal): Promise<void> {
    for (let made = 0; made < number && !gone.aborted; made += TRANSACTION)
      await this.repository.make(ispb, Math.min(TRANSACTION, number - made));
  }
}
