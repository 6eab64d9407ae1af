import { eventsQueue } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { readyInSqs } from '../intake/sqs-source.js';

/** A queue from which events are taken. */
interface EventsQueue {
  name: string;
  /** Messages that nobody holds; undefined: there is no such queue. Rejects when its broker does not answer. */
  ready(): Promise<number | undefined>;
}

/** How far behind the queues of events are. Processors take from all of them, this process or others. */
@Injectable()
export class QueueLag {
  readonly queues: readonly EventsQueue[];

  constructor(config: Config, broker: Broker) {
    const name = eventsQueue(config.queuePrefix);
    const rabbitmq: EventsQueue = { name, ready: () => broker.readyIn(name) };
    const { sqs } = config;
    this.queues = sqs === undefined ? [rabbitmq] : [rabbitmq, { name: sqs.queue, ready: () => readyInSqs(sqs) }];
  }

  /** What waits in each queue. A queue has no value where it is not there, or its broker does not answer. */
  async ready(): Promise<Record<string, number>> {
    const asked = this.queues.map(async ({ name, ready }) => [name, await ready().catch(() => undefined)] as const);
    return Object.fromEntries(
      (await Promise.all(asked)).flatMap(([name, ready]) => (ready === undefined ? [] : [[name, ready]])),
    );
  }
}
