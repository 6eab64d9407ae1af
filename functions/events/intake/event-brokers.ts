import { declareEvents, eventsQueue, type Says, Service } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { Config, type SqsConfig } from '../../platform/config.js';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { NotPublished } from '../../platform/stores/rabbitmq-channel.js';
import { Log, saysTo } from '../../platform/telemetry/log.js';
import type { EventBroker } from './event-source.js';
import { RabbitmqSource } from './rabbitmq-source.js';
import { openSqs } from './sqs-source.js';

/** The brokers that this process takes events from: RabbitMQ, and SQS where it has a queue there. */
@Injectable()
export class EventBrokers {
  readonly all: readonly EventBroker[];

  constructor(config: Config, broker: Broker, log: Log) {
    const says = saysTo(log);
    const queue = eventsQueue(config.queuePrefix);
    const rabbitmq: EventBroker = {
      queue,
      service: new Service('RabbitMQ', 'RABBITMQ_URL', config.rabbitmqUrl, says),
      session: (stop, work) =>
        broker
          .onOwnConnection(async (channel) => {
            await declareEvents(channel, config.queuePrefix, config.queueType);
            await work(await RabbitmqSource.open(channel, queue, config.eventsPrefetch, stop));
          })
          .catch((error: unknown) => {
            // Nothing was to be published: what the broker or the driver said is what went wrong.
            throw error instanceof NotPublished ? (error.cause ?? error) : error;
          }),
    };
    const { sqs } = config;
    const both = sqs === undefined ? [rabbitmq] : [rabbitmq, sqsBroker(sqs, log, says)];
    this.all = config.eventsPrefetch === 0 ? [] : both;
  }
}

function sqsBroker(config: SqsConfig, log: Log, says: Says): EventBroker {
  return {
    queue: config.queue,
    service: new Service('SQS', 'EVENTS_SQS_QUEUE', config.endpoint ?? '', says),
    session: async (stop, work) => {
      const source = await openSqs(config, stop, log);
      await work(source).finally(() => source.release([]));
    },
  };
}
