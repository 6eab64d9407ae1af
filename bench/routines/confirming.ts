import { type ConfirmChannel, connect } from 'amqplib';
import type { Stage } from '../../testing/stage.js';
import { secondsSince } from '../campaign.js';
import type { Routine } from './routine.js';

const QUEUE = '.confirming';
const SMALL = Buffer.from(JSON.stringify({ phone_number: '+5511900000001', message: 'Olá!' }));
/** Above 2,048 bytes the library writes header and body separately. With Nagle's algorithm on, the second write waits. */
const LARGE = Buffer.alloc(3_000, 'a');
const MANY = 2_000;
/** Few, as each may wait 40 ms for a delayed acknowledgement of TCP. */
const FEW = 100;

/** Messages to the broker: when confirms are awaited, and what the socket's default (no noDelay) costs. */
export const confirming: readonly Routine[] = [
  {
    name: 'messages confirmed',
    ways: [
      {
        name: 'all awaited at the end',
        clock: 'wall',
        usual: MANY,
        run: (stage, items) => publish(stage, items, allAtOnce),
      },
      {
        name: 'each awaited',
        clock: 'wall',
        usual: MANY,
        run: (stage, items) => publish(stage, items, oneByOne(SMALL)),
      },
    ],
  },
  {
    name: '3,000 bytes confirmed, each awaited',
    ways: [
      { name: 'noDelay', clock: 'wall', usual: FEW, run: (stage, items) => publish(stage, items, oneByOne(LARGE)) },
      {
        name: "the socket's default",
        clock: 'wall',
        usual: FEW,
        run: (stage, items) => publish(stage, items, oneByOne(LARGE), { noDelay: false }),
      },
    ],
  },
];

type Send = (channel: ConfirmChannel, queue: string, items: number) => Promise<void>;

async function publish({ env }: Stage, items: number, send: Send, { noDelay } = { noDelay: true }): Promise<number> {
  const connection = await connect(env.RABBITMQ_URL, { noDelay });
  try {
    const channel = await connection.createConfirmChannel();
    const queue = env.QUEUE_PREFIX + QUEUE;
    await channel.assertQueue(queue, { durable: true });
    const begun = performance.now();
    await send(channel, queue, items);
    const seconds = secondsSince(begun);
    const { messageCount } = await channel.deleteQueue(queue);
    if (messageCount !== items) throw new Error(`the queue has ${messageCount} of ${items} messages`);
    return seconds;
  } finally {
    await connection.close();
  }
}

async function allAtOnce(channel: ConfirmChannel, queue: string, items: number): Promise<void> {
  for (let at = 0; at < items; at++) channel.sendToQueue(queue, SMALL, { persistent: true });
  await channel.waitForConfirms();
}

function oneByOne(body: Buffer): Send {
  return async (channel, queue, items) => {
    for (let at = 0; at < items; at++)
      await new Promise<void>((resolve, reject) => {
        channel.sendToQueue(queue, body, { persistent: true }, (error) => (error ? reject(error) : resolve()));
      });
  };
}
