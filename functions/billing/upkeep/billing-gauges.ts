import { Injectable } from '@nestjs/common';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Question } from '../../platform/telemetry/question.js';
import { SCRAPE_DEADLINE_MS } from '../../platform/telemetry/service-gauges.js';
import { BillingUpkeepRepository, COUNTED_AT_MOST } from './upkeep.repository.js';

/** What a scrape asks of billing: how much of each kind of work is owed, and for how long. */
@Injectable()
export class BillingGauges {
  constructor(metrics: Metrics, repository: BillingUpkeepRepository) {
    const standing = new Question(() => repository.standing(), SCRAPE_DEADLINE_MS);
    metrics.gaugeFrom(
      {
        name: 'disparo_billing_owed',
        help: `Lines to merge, debts to issue, mails to send, mails held for a person, titles to write off; ${COUNTED_AT_MOST} for as many or more.`,
        label: 'work',
      },
      standing,
      ({ owed }) => owed,
    );
    metrics.gaugeFrom(
      {
        name: 'disparo_billing_oldest_owed_seconds',
        help: 'Since the oldest of them could be done; 0 when there is none.',
        label: 'work',
      },
      standing,
      ({ oldest_s }) => oldest_s,
    );
  }
}
