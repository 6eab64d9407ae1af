import { Interrupted } from '@disparo/contract';
import type { Verdict } from './admit.js';
import type { DeadLetter } from './dead-letters.js';
import type { DeadReason, Delivery } from './decode.js';
import type { Batch } from './gather.js';
import type { Queue } from './session.js';
import type { Written } from './store.js';

/** What a delivery gets, and what it is counted as. */
export type Outcome =
  | { gets: 'acknowledged'; as: 'stored' | 'repeated' | 'let_go' }
  | ({ gets: 'dead letter' } & DeadReason);

/**
 * What a delivery gets, from what steps 2 to 4 saw of it. Pure.
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
  if (refused) return { gets: 'dead letter', reason: 'refused_by_store', detail: 'mongodb 121' };
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
      // Acknowledging a delivery that no step has judged would lose it.
      if (verdict === undefined) throw new TypeError('a delivery without a verdict');
      return [delivery, outcomeOf(verdict, refused.has(delivery))];
    }),
  );
}

/** An acknowledgement: of one delivery, or of all up to it on its channel. */
interface Acknowledgement {
  delivery: Delivery;
  multiple: boolean;
}

/**
 * The acknowledgements of a batch. One, `multiple`, is of the last delivery before the first that is held for its dead
 * letter. Each one behind that is acknowledged alone: `multiple` would acknowledge what is held, too. Pure.
 */
export function acknowledgementsOf(
  outcomes: ReadonlyMap<Delivery, Outcome>,
  /** Whether a delivery of an earlier batch is still held. */
  heldBefore: boolean,
): Acknowledgement[] {
  let last: Delivery | undefined;
  let held = heldBefore;
  const alone: Acknowledgement[] = [];
  for (const [delivery, { gets }] of outcomes) {
    if (gets === 'dead letter') held = true;
    else if (held) alone.push({ delivery, multiple: false });
    else last = delivery;
  }
  return last ? [{ delivery: last, multiple: true }, ...alone] : alone;
}

/**
 * Step 6. Acknowledges what is stored, repeated or let go. Returns what is held until its dead letter is confirmed. Throws
 * Interrupted when the session broke.
 */
export function settle(queue: Queue, outcomes: ReadonlyMap<Delivery, Outcome>): DeadLetter[] {
  for (const { delivery, multiple } of acknowledgementsOf(outcomes, queue.held > 0))
    queue.acknowledge(delivery, multiple);
  if (queue.session.interrupted.aborted) throw new Interrupted();
  const dead = [...outcomes].flatMap(([delivery, outcome]) =>
    outcome.gets === 'dead letter' ? [{ delivery, reason: outcome.reason, detail: outcome.detail }] : [],
  );
  queue.held += dead.length;
  return dead;
}

/**
 * Publishes dead letters, in their order, until the broker has them all. Acknowledges each delivery alone, when its dead
 * letter is confirmed. Throws Interrupted when the session broke.
 */
export async function publishDead(queue: Queue, dead: readonly DeadLetter[]): Promise<void> {
  await Promise.all(dead.map((deadLetter) => publishOneDead(queue, deadLetter)));
}

async function publishOneDead(queue: Queue, deadLetter: DeadLetter): Promise<void> {
  const { session } = queue;
  try {
    await session.deadLetters.publish(deadLetter, queue.name);
  } catch (error) {
    if (error instanceof TypeError || error instanceof Interrupted) throw error;
    session.end(error);
    throw new Interrupted();
  }
  queue.acknowledge(deadLetter.delivery, false);
  queue.held--;
}
