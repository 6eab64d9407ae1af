import { Injectable } from '@nestjs/common';
import type { Counts } from '../../platform/duties.js';
import { PixUpkeepRepository } from './upkeep.repository.js';

/** Ends the streams that nobody follows, and deletes those that ended seven days ago. */
@Injectable()
export class EndStreams {
  constructor(private readonly repository: PixUpkeepRepository) {}

  async end(stop: AbortSignal): Promise<Counts> {
    const counts = { streams_expired: 0, streams_deleted: 0 };
    if (stop.aborted) return counts;
    counts.streams_expired = await this.repository.expire();
    while (!stop.aborted) {
      const gone = await this.repository.deleteClosed();
      if (gone === 0) break;
      counts.streams_deleted += gone;
    }
    return counts;
  }
}
