import { type Says, Service, untilUp } from '@disparo/contract';
import { type Answer, ask, type Problem, refusedBy } from './api.js';
import type { Outlet } from './publish.js';
import type { Message } from './stream.js';
import type { Tally } from './tally.js';

/** What is answered for each of many. */
interface Results {
  results: { outcome: 'stored' | 'duplicate' | 'rejected'; reason?: string }[];
}

const NEVER = new AbortController().signal;
/** Answers after which the same request may succeed. */
const LATER = new Set([408, 429]);

/** POST /api/events with the key of each client: many events at once, and a bad message alone, as it is no JSON. */
export class HttpOutlet implements Outlet {
  readonly batch = 500;
  readonly window = 4;
  readonly #service: Service;

  constructor(
    private readonly base: string,
    /** The key of each client. */
    private readonly keys: ReadonlyMap<string, string>,
    private readonly tally: Tally,
    says: Says,
  ) {
    this.#service = new Service('the API', 'API_PORT', base, says);
  }

  async send(messages: readonly Message[]): Promise<void> {
    const bad = messages.filter(({ event }) => event === undefined);
    const batches = [...this.keys].map(([clientId, key]) => {
      const own = messages.filter(({ event }) => event?.clientId === clientId);
      return own.length === 0 ? undefined : this.#sendMany(own, key);
    });
    await Promise.all([...batches, ...bad.map((message) => this.#sendBad(message))]);
  }

  /** Nothing: an answer comes after the COMMIT. */
  async waiting(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {}

  async #sendMany(messages: readonly Message[], key: string): Promise<void> {
    const body = Buffer.from(`{"events":[${messages.map((message) => message.body.toString()).join(',')}]}`);
    const answer = await this.#post<(Results & Problem) | undefined>(body, key);
    if (answer.status !== 200 || answer.body?.results?.length !== messages.length)
      throw refusedBy('The API does not take events', answer);
    for (const [at, message] of messages.entries()) {
      const { outcome, reason } = answer.body.results[at] ?? { outcome: 'rejected' };
      if (outcome === 'rejected') this.tally.refuse(reason ?? 'without a reason');
      else this.tally.confirm(message);
    }
  }

  async #sendBad(message: Message): Promise<void> {
    const [key] = this.keys.values();
    const answer = await this.#post<Problem | undefined>(message.body, key ?? '');
    if (answer.status !== 400 || answer.body?.code !== 'EVENT.INVALID_ENVELOPE')
      throw refusedBy('A bad message is to be answered with 400 EVENT.INVALID_ENVELOPE', answer);
    this.tally.confirm(message);
  }

  /** Waits while the API is away; what it answered meanwhile is not known, so the same events are sent again. */
  #post<T>(body: Buffer, bearer: string): Promise<Answer<T>> {
    return untilUp(NEVER, this.#service, async () => {
      const answer = await ask<T>(`${this.base}/api/events`, { method: 'POST', bearer, body });
      if (answer.status >= 500 || LATER.has(answer.status)) throw new Error(`it answered ${answer.status}`);
      return answer;
    });
  }
}
