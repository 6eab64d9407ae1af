import { Injectable } from '@nestjs/common';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Question } from '../../platform/telemetry/question.js';
import { SCRAPE_DEADLINE_MS } from '../../platform/telemetry/service-gauges.js';
import { COUNTED_AT_MOST, WebhooksUpkeepRepository } from './upkeep.repository.js';

/** What a scrape asks of webhooks: what waits to be sent, what is given up, and which endpoints do not take it. */
@Injectable()
export class WebhooksGauges {
  constructor(metrics: Metrics, repository: WebhooksUpkeepRepository) {
    const standing = new Question(() => repository.standing(), SCRAPE_DEADLINE_MS);
    metrics.gaugeFrom(
      {
        name: 'disparo_webhooks_due',
        help: `Deliveries that are due, or dead; ${COUNTED_AT_MOST} stands for as many or more.`,
        label: 'state',
      },
      standing,
      ({ due, dead }) => ({ due, dead }),
    );
    metrics.gaugeFrom(
      {
        name: 'disparo_webhooks_oldest_due_seconds',
        help: 'due: since one waits for the sender, and neither for the rate nor the breaker; dead: since the first died.',
        label: 'state',
      },
      standing,
      ({ oldest_due_s, oldest_dead_s }) => ({ due: oldest_due_s, dead: oldest_dead_s }),
    );
    metrics.gaugeFrom(
      {
        name: 'disparo_webhooks_open_endpoints',
        help: 'Endpoints that are disabled, or that failed five times in a row or more (open).',
        label: 'state',
      },
      standing,
      ({ open, disabled }) => ({ open, disabled }),
    );
  }
}
