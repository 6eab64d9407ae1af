import { Injectable } from '@nestjs/common';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Question } from '../../platform/telemetry/question.js';
import { SCRAPE_DEADLINE_MS } from '../../platform/telemetry/service-gauges.js';
import { ContactsRepository } from '../contacts.repository.js';

/** What a scrape asks of contacts: how many jobs have no end yet, and for how long. */
@Injectable()
export class ContactsGauges {
  constructor(metrics: Metrics, repository: ContactsRepository) {
    const standing = new Question(() => repository.standing(), SCRAPE_DEADLINE_MS);
    metrics.gaugeFrom(
      { name: 'disparo_contacts_jobs', help: 'Jobs that are accepted and not done.', label: 'state' },
      standing,
      ({ waiting, active }) => ({ waiting, active }),
    );
    metrics.gaugeFrom(
      {
        name: 'disparo_contacts_oldest_seconds',
        help: 'Since the acceptance of the oldest job that is not done; 0 when there is none.',
        label: 'state',
      },
      standing,
      ({ oldest_waiting_s, oldest_active_s }) => ({ waiting: oldest_waiting_s, active: oldest_active_s }),
    );
  }
}
