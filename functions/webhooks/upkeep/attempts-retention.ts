import { Injectable } from '@nestjs/common';
import type { Counts } from '../../platform/duties.js';
import { WebhooksUpkeepRepository } from './upkeep.repository.js';

/** Deletes the log of attempts after 15 days: what a receiver answered may be personal data. */
@Injectable()
export class AttemptsRetention {
  constructor(private readonly repository: WebhooksUpkeepRepository) {}

  async sweep(stop: AbortSignal): Promise<Counts> {
    let swept = 0;
    while (!stop.aborted) {
      const gone = await this.repository.sweepAttempts();
      if (gone === 0) break;
      swept += gone;
    }
    return { attempts_swept: swept };
  }
}
