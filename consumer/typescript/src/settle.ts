import type { Options } from 'amqplib';
import type { Verdict } from './admit.js';
import type { DeadReason, Delivery } from './decode.js';
import type { Batch } from './gather.js';
import type { Written } from './store.js';
import type { Queue, Session } from './topology.js';
import { Interrupted } from './until-up.js';

const CONFIRM_TIMEOUT_MS = 10_000;

/** What a delivery gets, and as what it is counted. */
export type Outcome =
  | { gets: 'acknowledged'; as: 'stored' | 'repeated' | 'let_go' }
  | ({ gets: 'dead letter' } & DeadReason);

/**
 * What a delivery gets, from what the steps 2 to 4 saw of it. Pure.
 *
 * | seen in | verdict | refused in 4 | gets | as |
 * |---|---|---|---|---|
 * | 2, 3 | a reason | - | dead letter | that reason |
 * | 3 | let_go | - | acknowledged | let_go |
 * | 3 | repeated | - | acknowledged | repeated |
 * | 4 | owed | yes | dead letter | refused_by_store |
 * | 5 | owed | no | acknowledged | stored |
 */
export function outcomeOf(verdict: Verdict, refused: boolean): Outcome {
  if (typeof verdict === 'object') return { gets: 'dead letter', ...verdict };
  if (verdict !== 'owed') return { gets: 'acknowledged', as: verdict };
  if (refused)
    return { gets: 'dead letter', reason: 'refused_by_store', detail: '/ must match the validator of the collection' };
  return { gets: 'acknowledged', as: 'stored' };
}

/** The outcome of each delivery of a batch, in the order of the queue. */
export function outcomesOf(
  batch: Batch,
  verdicts: ReadonlyMap<Delivery, Verdict>,
  written: Written,
): Map<Delivery, Outcome> {
  const refused = new Set([...written.refused].map(({ delivery }) => delivery));
  return new Map(
    batch.deliveries.map((delivery) => {
      const verdict = verdicts.get(delivery);
      // To acknowledge what no step has judged would lose it.
      if (verdict === undefined) throw new TypeError('a delivery without a verdict');
      return [delivery, outcomeOf(verdict, refused.has(delivery))];
    }),
  );
}

/** Step 6. Dead letters, confirmed, then one acknowledgement for the batch. Throws Interrupted when the session broke. */
export async function settle(queue: Queue, batch: Batch, outcomes: ReadonlyMap<Delivery, Outcome>): Promise<void> {
  const last = batch.deliveries.at(-1);
  if (!last) return;
  const { session } = queue;
  if (session.interrupted.aborted) throw new Interrupted();
  try {
    await publishDeadLetters(session, queue.name, outcomes);
    // An acknowledgement has no answer. If it is lost, the deliveries come again and step 3 finds them stored.
    if (!session.interrupted.aborted) queue.acknowledgeUpTo(last.message);
  } catch (error) {
    if (error instanceof TypeError) throw error;
    session.end(error);
  }
  if (session.interrupted.aborted) throw new Interrupted();
  session.settled++;
}

async function publishDeadLetters(
  session: Session,
  sourceQueue: string,
  outcomes: ReadonlyMap<Delivery, Outcome>,
): Promise<void> {
  const dead = [...outcomes].flatMap(([{ message }, outcome]) =>
    outcome.gets === 'dead letter' ? [{ message, outcome }] : [],
  );
  if (dead.length === 0) return;
  const confirmed = dead.map(
    ({ message, outcome: { reason, detail } }) =>
      new Promise<void>((resolve, reject) => {
        const added = { reason, detail, source_queue: sourceQueue };
        const send = (options: Options.Publish) =>
          session.deadLetters.publish(session.names.deadLetterExchange, '', message.content, options, (error) =>
            error ? reject(error) : resolve(),
          );
        try {
          send(asItCame(message.properties, added));
        } catch (error) {
          // Not every header that amqplib can read can it write again, and such a message must not come again for ever.
          if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
          send({ ...asItCame(message.properties, added), headers: { ...added, headers_dropped: true } });
        }
      }),
  );
  await withinDeadline(Promise.all(confirmed));
}

/**
 * The properties of the message, persistent. Two are left out, as the broker acts upon them: `expiration` would make the
 * dead letter vanish, and another user's `user-id` makes the broker close the channel, batch after batch.
 */
function asItCame(properties: Delivery['message']['properties'], added: Record<string, string>): Options.Publish {
  const {
    expiration: _expiration,
    userId: _userId,
    clusterId: _clusterId,
    deliveryMode: _mode,
    headers,
    ...rest
  } = properties;
  return { ...rest, persistent: true, headers: { ...headers, ...added } };
}

async function withinDeadline(confirmed: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('a dead letter was not confirmed in time')), CONFIRM_TIMEOUT_MS);
  });
  try {
    await Promise.race([confirmed, late]);
  } finally {
    clearTimeout(timer);
  }
}
