import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import type { Counts } from '../../platform/duties.js';
import { Log } from '../../platform/telemetry/log.js';
import { ContactsRepository } from '../contacts.repository.js';

/** What was stored in this time is looked at. The duty comes each minute, so each contact is looked at several times. */
const CHECKED_S = 300;

/** What the duties of contacts do. */
@Injectable()
export class ContactsUpkeep {
  constructor(
    private readonly repository: ContactsRepository,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /** Deletes the jobs that are kept no longer. Contacts stay, and jobs without an end do. */
  async sweep(stop: AbortSignal): Promise<Counts> {
    let swept = 0;
    while (!stop.aborted) {
      const batches = await this.repository.sweep(this.config.contactsJobsKeepS);
      if (batches === 0) break;
      swept += batches;
    }
    return { contact_batches_swept: swept };
  }

  /** In place of foreign keys: what was stored is whole. Logs an error where it is not; nothing repairs it by itself. */
  async check(): Promise<Counts> {
    const { contacts_without_team, parts_without_contact } = await this.repository.orphans(CHECKED_S);
    const counts = { contacts_without_team, parts_without_contact };
    if (contacts_without_team + parts_without_contact > 0)
      this.log.error(
        counts,
        'a bug: contacts are not whole; look at store_contacts and at who else writes these tables',
      );
    return counts;
  }
}
