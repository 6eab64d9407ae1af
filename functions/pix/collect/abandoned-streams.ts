import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { isOutage } from '../../platform/problem.js';
import { Log } from '../../platform/telemetry/log.js';
import type { StreamToken } from './stream-token.js';
import { StreamsRepository } from './streams.repository.js';

const TRIES = 5;
const AGAIN_MS = 1_000;

/** Ends streams of which nobody will ever hear, so that they hold no slot until they expire (P9). */
@Injectable()
export class AbandonedStreams {
  constructor(
    private readonly streams: StreamsRepository,
    private readonly log: Log,
  ) {}

  /**
   * Closes a stream that may have been opened; its batch waits again at once. Goes on after the call. While PostgreSQL is
   * away it is tried a few times; then the stream expires like any other.
   */
  close(ispb: string, token: StreamToken): void {
    void this.#close(ispb, token).catch((error: unknown) =>
      this.log.warn({ ispb, err: error }, 'an abandoned stream could not be closed; it expires'),
    );
  }

  async #close(ispb: string, token: StreamToken): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        // guard: a start whose connection broke may be committed only now; until then there is no such stream
        if ((await this.streams.close(ispb, token, 'disconnect')) !== 'unknown' || tries === TRIES) return;
      } catch (error) {
        if (tries === TRIES || !isOutage(error)) throw error;
      }
      await pause(AGAIN_MS, undefined, { ref: false });
    }
  }
}
