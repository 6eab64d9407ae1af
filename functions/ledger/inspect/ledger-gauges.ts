import { Injectable } from '@nestjs/common';
import { Metrics, type Values } from '../../platform/telemetry/metrics.js';
import { Question } from '../../platform/telemetry/question.js';
import { SCRAPE_DEADLINE_MS } from '../../platform/telemetry/service-gauges.js';
import { type Lag, LagRepository } from './lag.repository.js';

/** What a scrape asks of the ledger: how far it is behind, and how many campaigns there are of each status. */
@Injectable()
export class LedgerGauges {
  constructor(metrics: Metrics, repository: LagRepository) {
    const lag = new Question(() => repository.lag(), SCRAPE_DEADLINE_MS);
    const gauge = (name: string, help: string, label: string, values: (lag: Lag) => Values): void =>
      metrics.gaugeFrom({ name: `disparo_ledger_${name}`, help, label }, lag, values);
    gauge('campaigns', 'Campaigns that are not deleted.', 'status', statuses);
    gauge(
      'owed_numbers',
      'Numbers of running campaigns, not published yet, or published and not stored yet.',
      'state',
      ({ unpublished, unstored }) => ({ unpublished, unstored }),
    );
    gauge(
      'oldest_owed_seconds',
      'Since the acceptance of the oldest running campaign that is not wholly published, and since the oldest chunk that is not stored was published.',
      'state',
      ({ unpublished_seconds, unstored_seconds }) => ({ unpublished: unpublished_seconds, unstored: unstored_seconds }),
    );
  }
}

function statuses({ pendente, enfileirado, enviando, enviado, pausado, cancelado }: Lag): Values {
  return { pendente, enfileirado, enviando, enviado, pausado, cancelado };
}
