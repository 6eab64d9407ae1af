import type { RecordRow } from '@disparo/contract';
import type { Logger } from 'pino';
import { type Admission, admit } from './admit.js';
import type { Config } from './config.js';
import { prepareMessages, probeLedger, type Stores } from './connect.js';
import { type ChunkDelivery, type Delivery, decode } from './decode.js';
import type { Stop } from './drain.js';
import type { Identifiers } from './identifiers.js';
import { markDeleted, record } from './record.js';
import { type Report, type SettledBatch, traceparentsOf } from './report.js';
import { type Queue, Session } from './session.js';
import { type Outcome, outcomesOf, settle } from './settle.js';
import { Stopwatch } from './stopwatch.js';
import { store, type Written } from './store.js';
import { attempt, backoffMs, Interrupted, inTurn, pause, type Service, untilUp } from './until-up.js';

/** What the loop knows of the three services. */
export type Services = Record<'postgres' | 'mongodb' | 'rabbitmq', Service>;

/** All that a loop needs. */
export interface Consumer {
  config: Config;
  stores: Stores;
  identifiers: Identifiers;
  services: Services;
  report: Report;
  stop: Stop;
  log: Logger;
  /** Something may be at hand that a drain has to finish. */
  busy: boolean;
}

/** Batches of one queue under way at a time: while one is stored, the next is gathered and admitted, and its storing begins. */
const BATCHES_AT_A_TIME = 2;
const NOTHING_ADMITTED: Admission = { verdicts: new Map(), owed: [] };
const NOTHING_WRITTEN: Written = { stored: 0, repeated: 0, refused: new Set() };

/** Consumes until told to stop, session after session. Throws ConfigurationError at the start only; later only a bug. */
export async function run(consumer: Consumer): Promise<void> {
  const { stores, services, stop } = consumer;
  // Side by side: a wrong password of one must not wait for another that is not up yet.
  const [first] = await Promise.all([
    openSession(consumer),
    untilUp(stop.receiving, services.postgres, () => probeLedger(stores.postgres)),
    untilUp(stop.receiving, services.mongodb, () => prepareMessages(stores.mongo)),
  ]);
  let session = first;
  for (let fruitless = 0; ; session = await openSession(consumer)) {
    consumer.busy = true;
    await consumeSession(consumer, session);
    consumer.busy = false;
    if (stop.receiving.aborted) return;
    // A broker that takes the connection and refuses the rest of it must not be hammered.
    fruitless = session.settled > 0 ? 0 : fruitless + 1;
    await pause(stop.receiving, backoffMs(fruitless + 1));
  }
}

function openSession({ config, services, stop, log }: Consumer): Promise<Session> {
  const onGone = (error: unknown) => services.rabbitmq.lost(error);
  return untilUp(stop.receiving, services.rabbitmq, () => Session.open(config, stop, log, onGone));
}

/** Every partition of one session, until told to stop or the session is gone. */
async function consumeSession(consumer: Consumer, session: Session): Promise<void> {
  const queues = await subscribe(consumer, session);
  await Promise.all(
    queues.flatMap((queue) => Array.from({ length: BATCHES_AT_A_TIME }, () => consume(queue, consumer))),
  );
  await session.released();
  await session.close();
}

async function subscribe({ config, services, log }: Consumer, session: Session): Promise<Queue[]> {
  try {
    const queues = await Promise.all(config.partitions.map((partition) => session.subscribe(partition)));
    sayWhoReceives(queues, config.prefetchEach, log);
    return queues;
  } catch (error) {
    services.rabbitmq.failed(error);
    session.end(error);
    return [];
  }
}

/** Of each queue one consumer receives: the others say that they stand by. */
function sayWhoReceives(queues: readonly Queue[], prefetchEach: number, log: Logger): void {
  const say = (what: string, of: readonly Queue[]) => {
    if (of.length > 0) log.info({ queues: of.map(({ name }) => name), prefetch_each: prefetchEach }, what);
  };
  const waiting = queues.filter(({ standby }) => !standby.isOver);
  say(
    'receiving',
    queues.filter(({ standby }) => standby.isOver),
  );
  say('standing by: another consumer has the queue', waiting);
  for (const queue of waiting) queue.standby.onOver(() => say('receiving', [queue]));
}

/**
 * One of the loops of a partition, batch after batch. Returns when it is told to stop or its session is gone; never throws for
 * one bad message.
 */
async function consume(queue: Queue, consumer: Consumer): Promise<void> {
  try {
    while (await consumeBatch(queue, consumer));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
}

/** One batch, start to finish. Steps as in consumer/README.md. False when there is no further one. */
async function consumeBatch(queue: Queue, consumer: Consumer): Promise<boolean> {
  const batch = await queue.gather(); // 1
  if (!batch) return false;
  const watch = new Stopwatch(batch.since);
  const { interrupted } = queue.session;
  const { chunks, malformed } = decode(batch.deliveries); // 2
  const { admission, written } = await admitAndStore(interrupted, consumer, chunks, batch.at, watch); // 3, 4
  const stored = admission.owed.filter((at) => !written.refused.has(at));
  const campaigns = await watch.time('record', async () => {
    // An acknowledgement of this batch may be one of all before it.
    await inTurn(interrupted, batch.before);
    return recordAndMark(interrupted, consumer, stored); // 5
  });
  const outcomes = outcomesOf(batch, new Map([...malformed, ...admission.verdicts]), written);
  const report = reportOf(queue, outcomes, written, campaigns, watch);
  const letters = settle(queue, outcomes); // 6
  batch.settled();
  // A broker in an alarm takes no dead letter, and the batches behind are not to wait for that.
  if (letters)
    queue.session.hold(watch.time('settle', () => letters).then(() => consumer.report.batch(report))); // 7
  else consumer.report.batch(report); // 7
  return true;
}

/** What is reported of a batch; its deliveries are not kept for it. */
function reportOf(
  { name: queue }: Queue,
  outcomes: ReadonlyMap<Delivery, Outcome>,
  { stored, repeated }: Written,
  campaigns: readonly RecordRow[],
  watch: Stopwatch,
): SettledBatch {
  const traceparents = traceparentsOf(outcomes.keys());
  return { queue, outcomes: [...outcomes.values()], written: { stored, repeated }, campaigns, traceparents, watch };
}

/** Steps 3 and 4. A batch that had to wait for MongoDB is admitted again: meanwhile its campaign may be cancelled. */
async function admitAndStore(
  interrupted: AbortSignal,
  { stores, services, identifiers }: Consumer,
  chunks: readonly ChunkDelivery[],
  gatheredAt: Date,
  watch: Stopwatch,
): Promise<{ admission: Admission; written: Written }> {
  if (chunks.length === 0) return { admission: NOTHING_ADMITTED, written: NOTHING_WRITTEN };
  for (let failures = 0; ; failures++) {
    const admission = await watch.time('admit', () =>
      untilUp(interrupted, services.postgres, () => admit(stores.postgres, chunks)),
    );
    if (admission.owed.length === 0) return { admission, written: NOTHING_WRITTEN };
    const written = await watch.time('store', () =>
      attempt(interrupted, services.mongodb, failures, () =>
        store(stores.mongo, admission.owed, identifiers, failures === 0 ? gatheredAt : new Date()),
      ),
    );
    if (written) return { admission, written };
  }
}

/** Step 5. */
async function recordAndMark(
  interrupted: AbortSignal,
  { stores, services, stop }: Consumer,
  stored: readonly ChunkDelivery[],
): Promise<readonly RecordRow[]> {
  if (stored.length === 0) return [];
  const campaigns = await untilUp(interrupted, services.postgres, () => record(stores.postgres, stored));
  const deleted = campaigns.filter((campaign) => campaign.deleted);
  // Not dropped with the channel: the ledger tells of a deleted campaign only this once.
  if (deleted.length > 0) await untilUp(stop.working, services.mongodb, () => markDeleted(stores.messages, deleted));
  return campaigns;
}
