import { Injectable } from '@nestjs/common';
import { Mongo } from '../stores/mongo.js';
import { Postgres } from '../stores/postgres.js';
import { Broker } from '../stores/rabbitmq.js';
import { Metrics, type Values } from './metrics.js';
import { Question } from './question.js';

/** Prometheus gives a scrape ten seconds by default. */
export const SCRAPE_DEADLINE_MS = 2_000;

/** What a scrape asks of the services themselves: whether they answer, and what waits on the broker. */
@Injectable()
export class ServiceGauges {
  constructor(metrics: Metrics, postgres: Postgres, mongodb: Mongo, rabbitmq: Broker) {
    const pings = Object.entries({ postgres, mongodb, rabbitmq }).map(
      ([name, service]) => [name, new Question(() => service.ping().then(() => true), SCRAPE_DEADLINE_MS)] as const,
    );
    const up = async (): Promise<Values> => {
      const answers = pings.map(async ([name, ping]) => [name, Number((await ping.answer()) ?? false)]);
      return Object.fromEntries(await Promise.all(answers));
    };
    const queues = new Question(() => rabbitmq.queues(), SCRAPE_DEADLINE_MS);
    metrics.gaugeFrom(
      { name: 'disparo_up', help: '1 when the service answers the API within two seconds, else 0.', label: 'service' },
      // Longer than the pings, so that a late ping is a 0 and does not leave the gauge without values.
      new Question(up, 2 * SCRAPE_DEADLINE_MS),
      (answer) => answer,
    );
    metrics.gaugeFrom(
      { name: 'disparo_queue_ready_messages', help: 'Queue messages that no consumer holds.', label: 'partition' },
      queues,
      ({ partitions }) => byNumber(partitions.map(({ ready }) => ready)),
    );
    metrics.gaugeFrom(
      { name: 'disparo_queue_consumers', help: 'Consumers, including one that stands by.', label: 'partition' },
      queues,
      ({ partitions }) => byNumber(partitions.map(({ consumers }) => consumers)),
    );
    metrics.gaugeFrom(
      { name: 'disparo_queue_dead_letters', help: 'Messages in the dead-letter queue.', label: 'queue' },
      queues,
      ({ deadLetters: { queue, ready } }) => ({ [queue]: ready }),
    );
  }
}

function byNumber(values: number[]): Values {
  return Object.fromEntries(values.entries());
}
