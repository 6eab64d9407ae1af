import type { Worker } from 'node:cluster';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { withDeadline } from '../deadline.js';
import { Question } from '../telemetry/question.js';
import type { Snapshot, ToMember } from './messages.js';

/** How long a scrape waits for a process that is busy. */
const COUNT_MS = 4_000;

/** What is known of the metrics of one living process. */
interface Known {
  last: Snapshot;
  /** Resolves the round that waits for it; undefined once it has answered. */
  answered: (() => void) | undefined;
}

/**
 * The metrics of all processes, added up by the primary, whichever of them is scraped.
 *
 * Why a sum, and no label `process`: each process that follows another would be a new series of every name and label, for
 * ever. A sum must never fall, or Prometheus takes the fall for a restart from zero and counts all of it again. So the last
 * known counters of a process stay in the sum: when it has died, and when it is too busy to answer. What it counted after
 * its last answer is lost when it dies. Its gauges leave with it.
 */
export class Totals {
  readonly #living = new Map<Worker, Known>();
  /** The primary's own: its memory and time belong to the server's. */
  readonly #own = new Registry();
  /** Counters of the processes that have died, added up. */
  #past: Snapshot = [];
  readonly #question = new Question(() => this.#ask(), 2 * COUNT_MS);

  constructor() {
    collectDefaultMetrics({ register: this.#own });
  }

  /** A process has begun. */
  add(worker: Worker): void {
    this.#living.set(worker, { last: [], answered: undefined });
  }

  /** A process has died: its counters stay. */
  remove(worker: Worker): void {
    const known = this.#living.get(worker);
    if (!known) return;
    this.#living.delete(worker);
    known.answered?.();
    this.#past = AggregatorRegistry.aggregate([this.#past, countersOf(known.last)]).getMetricsAsArray();
  }

  /** A process has sent its metrics. */
  take(worker: Worker, snapshot: Snapshot): void {
    const known = this.#living.get(worker);
    if (!known) return;
    known.last = snapshot;
    known.answered?.();
    known.answered = undefined;
  }

  /** All of them in the text format of Prometheus; undefined for a bug. Those who ask at the same time get the same. */
  text(): Promise<string | undefined> {
    return this.#question.answer();
  }

  async #ask(): Promise<string> {
    const asked = [...this.#living].map(([worker, known]) => {
      const answer = new Promise<void>((resolve) => {
        known.answered = resolve;
      });
      const message: ToMember = { kind: 'count' };
      worker.send(message, () => {});
      return answer;
    });
    const own = await this.#own.getMetricsAsJSON();
    await withDeadline(COUNT_MS, Promise.all(asked), () => []);
    const living = [...this.#living.values()].map(({ last, answered }) => (answered ? countersOf(last) : last));
    return AggregatorRegistry.aggregate([this.#past, ...living, own]).metrics();
  }
}

function countersOf(snapshot: Snapshot): Snapshot {
  return snapshot.filter(({ type }) => ['counter', 'histogram', 'summary'].includes(String(type)));
}
