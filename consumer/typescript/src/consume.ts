import { attempt, Interrupted, type RecordRow, type Service, untilUp } from '@disparo/contract';
import type { Logger } from 'pino';
import { type Admission, admit } from './admit.js';
import type { Config } from './config.js';
import type { Stores } from './connect.js';
import { type ChunkDelivery, type Delivery, decode } from './decode.js';
import type { Stop } from './drain.js';
import type { Identifiers } from './identifiers.js';
import { markDeleted, record } from './record.js';
import { type Report, type SettledBatch, traceparentsOf } from './report.js';
import type { Queue } from './session.js';
import { type Outcome, outcomesOf, publishDead, settle } from './settle.js';
import { Stopwatch } from './stopwatch.js';
import { store, type Written } from './store.js';

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
  /** There may be batches that a drain has to finish. */
  busy: boolean;
}

const NOTHING_ADMITTED: Admission = { verdicts: new Map(), owed: [] };
const NOTHING_WRITTEN: Written = { stored: 0, repeated: 0, refused: new Set() };

/**
 * One of the loops of a partition, batch after batch. Returns when it is told to stop or its session is gone; never throws
 * for one bad message.
 */
export async function consume(queue: Queue, consumer: Consumer): Promise<void> {
  try {
    while ((await consumeBatch(queue, consumer)) !== 'over');
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
}

/** One batch from start to finish. Steps as in consumer/README.md. `over` when there will be no further batch. */
async function consumeBatch(queue: Queue, consumer: Consumer): Promise<'batch' | 'over'> {
  const batch = await queue.gather(); // 1
  if (batch === 'over') return 'over';
  const watch = new Stopwatch(batch.since);
  const { interrupted } = queue.session;
  const { chunks, malformed } = decode(batch.deliveries); // 2
  const { admission, written } = await admitAndStore(interrupted, consumer, chunks, batch.gatheredAt, watch); // 3, 4
  const stored = admission.owed.filter((chunk) => !written.refused.has(chunk));
  const campaigns = await watch.time('record', async () => {
    // An acknowledgement of this batch may include all batches before it.
    await batch.turn.wait(interrupted);
    return recordAndMark(interrupted, consumer, stored); // 5
  });
  const outcomes = outcomesOf(batch, new Map([...malformed, ...admission.verdicts]), written);
  const settled = settledBatch(queue, outcomes, written, campaigns, watch);
  const dead = settle(queue, outcomes); // 6
  batch.turn.pass();
  if (dead.length === 0) {
    consumer.report.batch(settled); // 7
    return 'batch';
  }
  // A broker in an alarm accepts no dead letters, and the batches behind this one must not wait for that.
  queue.session.hold(async () => {
    await watch.time('settle', () => publishDead(queue, dead));
    consumer.report.batch(settled); // 7
  });
  return 'batch';
}

/** What is reported of a batch; its deliveries are not kept for it. */
function settledBatch(
  { name: queue }: Queue,
  outcomes: ReadonlyMap<Delivery, Outcome>,
  { stored, repeated }: Written,
  campaigns: readonly RecordRow[],
  watch: Stopwatch,
): SettledBatch {
  const traceparents = traceparentsOf(outcomes.keys());
  return { queue, outcomes: [...outcomes.values()], written: { stored, repeated }, campaigns, traceparents, watch };
}

/** Steps 3 and 4. A batch that had to wait for MongoDB is admitted again: its campaign may have been cancelled meanwhile. */
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
    const attempted = await watch.time('store', () =>
      attempt(interrupted, services.mongodb, failures, () =>
        store(stores.mongo, admission.owed, identifiers, failures === 0 ? gatheredAt : new Date()),
      ),
    );
    if (attempted.up) return { admission, written: attempted.value };
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
