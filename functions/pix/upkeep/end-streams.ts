import { Injectable } from '@nestjs/common';
import type { Counts } from '../../platform/duties.js';
import { PixUpkeepRepository } from './upkeep.repository.js';

/** Ends the streams that nobody follows, and deletes those that ended seven days ago. */
@Injectable()
export class EndStreams {
  constructor(private readonly repository: PixUpkeepRepository) {}

  async end(): Promise<Counts> {
    return { streams_expired: await this.repository.expire(), streams_deleted: await this.repository.deleteClosed() };
  }
}
