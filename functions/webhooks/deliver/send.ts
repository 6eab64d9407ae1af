import { Injectable } from '@nestjs/common';
import type { Answer } from './delivery.js';

/** Sends one request. */
@Injectable()
export class SendWebhook {
  /** Never rejects: what went wrong is in the answer. */
  async send(_url: string, _headers: Readonly<Record<string, string>>, _body: Buffer): Promise<Answer> {
    throw new Error('not here yet');
  }
}
