import { Injectable } from '@nestjs/common';
import { Metrics, type Values } from '../../platform/telemetry/metrics.js';
import { Question } from '../../platform/telemetry/question.js';
import { SCRAPE_DEADLINE_MS } from '../../platform/telemetry/service-gauges.js';
import { REASONS } from '../intake/triage.js';
import { QueueLag } from './queue-lag.js';
import { type OpenMessages, UpkeepRepository } from './upkeep.repository.js';

/** What a scrape asks of events: what stands in quarantine, and what waits on the queues. */
@Injectable()
export class EventsGauges {
  constructor(metrics: Metrics, repository: UpkeepRepository, lag: QueueLag) {
    const open = new Question(() => repository.open(), SCRAPE_DEADLINE_MS);
    metrics.gaugeFrom(
      {
        name: 'disparo_events_quarantine_open',
        help: 'Messages in quarantine that nobody has ended.',
        label: 'reason',
      },
      open,
      (found) => byReason(found, ({ count }) => count),
    );
    metrics.gaugeFrom(
      {
        name: 'disparo_events_quarantine_oldest_seconds',
        help: 'Since the oldest of them came; 0 when there is none.',
        label: 'reason',
      },
      open,
      (found) => byReason(found, ({ oldest_s }) => oldest_s),
    );
    metrics.gaugeFrom(
      { name: 'disparo_events_queue_ready_messages', help: 'Messages that no processor holds.', label: 'queue' },
      new Question(() => lag.ready(), SCRAPE_DEADLINE_MS),
      (ready) => ready,
    );
  }
}

function byReason(found: readonly OpenMessages[], value: (of: OpenMessages) => number): Values {
  return Object.fromEntries(
    REASONS.map((reason) => {
      const open = found.find((one) => one.reason === reason);
      return [reason, open ? value(open) : 0];
    }),
  );
}
