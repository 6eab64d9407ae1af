import { once } from 'node:events';
import { Injectable } from '@nestjs/common';

/** Sends what is owed to endpoints. */
@Injectable()
export class DeliverWebhooks {
  /** For the plain server: until told to stop. Then it claims no more, lets requests end, and settles them. */
  async loop(stop: AbortSignal): Promise<void> {
    if (!stop.aborted) await once(stop, 'abort');
  }

  /** For a function: until nothing is due that may be sent, or told to stop. Returns how many attempts ended in which way. */
  async pass(_stop: AbortSignal): Promise<{ delivered: number; failed: number }> {
    return { delivered: 0, failed: 0 };
  }
}
