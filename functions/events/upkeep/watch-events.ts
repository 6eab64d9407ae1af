import { Injectable } from '@nestjs/common';
import { QueueLag } from './queue-lag.js';
import { type OpenMessages, UpkeepRepository } from './upkeep.repository.js';

/** What goes on at one moment. */
export interface EventsNow {
  at: Date;
  /** Events stored a second, by the name of their type: of all that were seen since the first look. */
  perSecond: Record<string, number>;
  /** By reason, only those of which there are some. */
  open: OpenMessages[];
  /** What waits in each queue; undefined: its broker does not answer, or it is not there. */
  ready: Record<string, number | undefined>;
}

/** The last id of an event at some time, by `performance.now()`. */
interface Mark {
  last: string;
  at: number;
}

/** Looks again and again at what goes on. Each look reads the events since an earlier one, and what is open. */
@Injectable()
export class WatchEvents {
  readonly #types = new Set<string>();
  /**
   * The last two looks. Events are counted up to the older one's end: an id is given out before its COMMIT, and what had an id
   * a look ago is committed by now.
   */
  #marks: Mark[] = [];

  constructor(
    private readonly repository: UpkeepRepository,
    private readonly lag: QueueLag,
  ) {}

  /** Rejects with ServiceUnavailable when PostgreSQL is away. */
  async look(): Promise<EventsNow> {
    const [last, open, ready] = await Promise.all([
      this.repository.lastEvent(),
      this.repository.open(),
      this.lag.ready(),
    ]);
    const perSecond = await this.#perSecond();
    this.#marks = [...this.#marks.slice(-1), { last, at: performance.now() }];
    const queues = this.lag.queues.map(({ name }) => [name, ready[name]]);
    return { at: new Date(), perSecond, open, ready: Object.fromEntries(queues) };
  }

  async #perSecond(): Promise<Record<string, number>> {
    const [from, to] = this.#marks;
    const stored = from && to ? await this.repository.byType(from.last, to.last) : [];
    for (const { type } of stored) this.#types.add(type);
    const seconds = from && to ? (to.at - from.at) / 1_000 : 1;
    const rate = (type: string) => Math.round((stored.find((one) => one.type === type)?.count ?? 0) / seconds);
    return Object.fromEntries([...this.#types].sort().map((type) => [type, rate(type)]));
  }
}
