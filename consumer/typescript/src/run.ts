import { backoffMs, pause, untilUp } from '@disparo/contract';
import type { Logger } from 'pino';
import { prepareMessages, probeLedger } from './connect.js';
import { type Consumer, consume } from './consume.js';
import { type Queue, Session } from './session.js';

/**
 * Batches of one queue under way at a time: while one is stored, the next is gathered and admitted, and its storing begins.
 */
const BATCHES_AT_A_TIME = 2;

/** Consumes until told to stop, session after session. Throws ConfigurationError at the start only; later only a bug. */
export async function run(consumer: Consumer): Promise<void> {
  const { stores, services, stop } = consumer;
  // Side by side: the wrong password of one service must not wait for another service that is not up yet.
  const [first] = await Promise.all([
    openSession(consumer),
    untilUp(stop.receiving, services.postgres, () => probeLedger(stores.postgres)),
    untilUp(stop.receiving, services.mongodb, () => prepareMessages(stores.mongo)),
  ]);
  let session = first;
  for (let failedSessions = 0; ; session = await openSession(consumer)) {
    consumer.busy = true;
    await consumeSession(consumer, session);
    consumer.busy = false;
    if (stop.receiving.aborted) return;
    // A broker that takes the connection and refuses everything after it must not be hammered.
    failedSessions = session.acknowledgements > 0 ? 0 : failedSessions + 1;
    await pause(stop.receiving, backoffMs(failedSessions + 1));
  }
}

function openSession({ config, services, stop, log }: Consumer): Promise<Session> {
  return untilUp(stop.receiving, services.rabbitmq, () => Session.open(config, stop, services.rabbitmq, log));
}

/** Consumes every partition of one session, until told to stop or the session is gone. */
async function consumeSession(consumer: Consumer, session: Session): Promise<void> {
  const queues = await subscribe(consumer, session);
  await Promise.all(
    queues.flatMap((queue) => Array.from({ length: BATCHES_AT_A_TIME }, () => consume(queue, consumer))),
  );
  await session.awaitHeld();
  await session.close();
}

async function subscribe(
  { config: { partitions, prefetchEach }, services, log }: Consumer,
  session: Session,
): Promise<Queue[]> {
  try {
    const queues = await Promise.all(partitions.map((partition) => session.subscribe(partition, prefetchEach)));
    logReceiving(queues, prefetchEach, log);
    return queues;
  } catch (error) {
    services.rabbitmq.failed(error);
    session.end(error);
    return [];
  }
}

/** One consumer of each queue receives; the others say that they stand by. */
function logReceiving(queues: readonly Queue[], prefetchEach: number, log: Logger): void {
  const say = (what: string, of: readonly Queue[]) => {
    if (of.length > 0) log.info({ queues: of.map(({ name }) => name), prefetch_each: prefetchEach }, what);
  };
  const standingBy = queues.filter(({ standby }) => !standby.isOver);
  say(
    'receiving',
    queues.filter(({ standby }) => standby.isOver),
  );
  say('standing by: another consumer has the queue', standingBy);
  for (const queue of standingBy) void queue.standby.over.then(() => say('receiving', [queue]));
}
