import { Injectable } from '@nestjs/common';
import { inTime } from './in-time.js';
import { problemOf } from './outcomes.js';
import type { StreamToken } from './stream-token.js';
import { StreamsRepository } from './streams.repository.js';

/** Ends a stream at its collector's wish. */
@Injectable()
export class CloseStream {
  constructor(private readonly streams: StreamsRepository) {}

  /**
   * With the current token the last batch is acknowledged; with the one before it the answer never came, and the batch waits
   * again (P6). Closing again changes nothing. Throws what `problemOf` says, and ServiceUnavailable: then it may be done.
   * @param arrivedAt When the request came, by `performance.now()`.
   */
  async close(ispb: string, token: StreamToken, arrivedAt: number): Promise<void> {
    const outcome = await inTime(arrivedAt, this.streams.close(ispb, token, 'collector'));
    if (outcome !== 'closed') throw problemOf(outcome);
  }
}
