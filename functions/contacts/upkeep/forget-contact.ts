import { Injectable } from '@nestjs/common';
import { count, type Found, Retention, type Run } from '../../retention/retention.js';
import { ContactsRepository } from '../contacts.repository.js';

/** Forgets one contact, in all four tables. Its id may be sent again, and is a new contact then. */
@Injectable()
export class ForgetContact {
  constructor(
    private readonly repository: ContactsRepository,
    retention: Retention,
  ) {
    retention.onForget('contact-id', (id, run) => this.forget(id, run));
  }

  private async forget(id: string, { dryRun }: Run): Promise<Found> {
    // Asked before: a batch that is done meanwhile is told of, or its contact goes. After it, one could be neither.
    const waiting = await this.repository.waitingFor(id);
    const found = await (dryRun ? this.repository.has(id) : this.repository.forget(id));
    return {
      gone: [`${found ? '1 contact' : '0 contacts'} ${dryRun ? 'would be forgotten' : 'forgotten'}`],
      remarks: waiting > 0 ? [`${count(waiting)} batches that hold it are not done: run it again when they are`] : [],
      waits: waiting > 0,
    };
  }
}
