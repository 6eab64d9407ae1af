import { Injectable } from '@nestjs/common';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Question } from '../../platform/telemetry/question.js';
import { SCRAPE_DEADLINE_MS } from '../../platform/telemetry/service-gauges.js';
import { COUNTED_AT_MOST, PixUpkeepRepository } from './upkeep.repository.js';

/** What a scrape asks of Pix: how many streams are open, where the messages are, and how many waited again. */
@Injectable()
export class PixGauges {
  constructor(metrics: Metrics, repository: PixUpkeepRepository) {
    const standing = new Question(() => repository.standing(), SCRAPE_DEADLINE_MS);
    metrics.gaugeFrom(
      {
        name: 'disparo_pix_streams',
        help: 'Open streams: holding, their last messages are not acknowledged yet; empty, all others.',
        label: 'state',
      },
      standing,
      ({ empty, holding }) => ({ empty, holding }),
    );
    metrics.gaugeFrom(
      {
        name: 'disparo_pix_messages',
        help: `Messages that wait, ${COUNTED_AT_MOST} for as many or more; in_flight: handed out and not acknowledged.`,
        label: 'state',
      },
      standing,
      ({ waiting, in_flight }) => ({ waiting, in_flight }),
    );
    metrics.counterFrom(
      {
        name: 'disparo_pix_returned_total',
        help: 'Messages that were handed out and waited again, by what ended their stream.',
        label: 'by',
      },
      standing,
      ({ returned }) => returned,
    );
  }
}
