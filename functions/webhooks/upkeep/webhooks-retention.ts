import { Injectable } from '@nestjs/common';
import type { Counts } from '../../platform/duties.js';
import { WebhooksUpkeepRepository } from './upkeep.repository.js';

/**
 * Deletes the log of attempts after 15 days, since what a receiver answered may be personal data, and secrets that sign no
 * longer.
 */
@Injectable()
export class WebhooksRetention {
  constructor(private readonly repository: WebhooksUpkeepRepository) {}

  async sweep(stop: AbortSignal): Promise<Counts> {
    const counts = { attempts_swept: 0, secrets_swept: 0 };
    if (stop.aborted) return counts;
    counts.secrets_swept = await this.repository.sweepSecrets();
    while (!stop.aborted) {
      const gone = await this.repository.sweepAttempts();
      if (gone === 0) break;
      counts.attempts_swept += gone;
    }
    return counts;
  }
}
