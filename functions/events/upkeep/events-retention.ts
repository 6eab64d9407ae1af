import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import type { Counts } from '../../platform/duties.js';
import { UpkeepRepository } from './upkeep.repository.js';

/** Deletes what EVENTS_KEEP_DAYS does not keep any longer: payloads may be personal data. */
@Injectable()
export class EventsRetention {
  constructor(
    private readonly repository: UpkeepRepository,
    private readonly config: Config,
  ) {}

  /** Messages in quarantine first: an event stays as long as one of them names it. */
  async sweep(stop: AbortSignal): Promise<Counts> {
    return { quarantine_swept: await this.#quarantine(stop), events_swept: await this.#events(stop) };
  }

  async #quarantine(stop: AbortSignal): Promise<number> {
    let swept = 0;
    while (!stop.aborted) {
      const gone = await this.repository.sweepQuarantine(this.config.eventsKeepDays);
      if (gone === 0) break;
      swept += gone;
    }
    return swept;
  }

  /** Ids are given out in the order of time, or nearly: behind a page without an old event there is none. */
  async #events(stop: AbortSignal): Promise<number> {
    let swept = 0;
    for (let after: string | null = '0'; after !== null && !stop.aborted; ) {
      const { last, old, gone } = await this.repository.sweepEvents(this.config.eventsKeepDays, after);
      if (old === 0) break;
      swept += gone;
      after = last;
    }
    return swept;
  }
}
