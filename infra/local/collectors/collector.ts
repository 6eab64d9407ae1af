import { setTimeout as delay } from 'node:timers/promises';
import { Connection, DROPPED, type Reply } from './connection.js';
import { FollowedStream, type Tally } from './tally.js';

/** What a collector is told. */
export interface Orders {
  /** The bases of the API's processes: it goes on at the next one when one does not answer. */
  bases: readonly string[];
  ispb: string;
  accept: 'application/json' | 'multipart/json';
  /** The share of answers that are lost, 0 to less than 1. */
  crash: number;
  key?: string | undefined;
  tally: Tally;
  /** The collector ends its stream. */
  stop: AbortSignal;
}

/** How a collector ended. `full`: it was told to come back later; `refused`: what it was told, in words. */
export type Ending =
  | { kind: 'drained' }
  | { kind: 'stopped' }
  | { kind: 'full'; retryAfterS: number }
  | { kind: 'refused'; reason: string };

/** A process is started again, or another takes over, within this time. */
const RETRIED_FOR_MS = 60_000;
const PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Collects by one stream after another, until one has nothing more: mostly by one. */
export class Collector {
  readonly #connection = new Connection();
  readonly #headers: Record<string, string>;
  #stream = new FollowedStream();
  /** Where the stream goes on; that of a start where none is open. */
  #path: string;
  /** The batch that it has received last. */
  #last: string[] = [];

  /** @param at Which of the bases it asks first. */
  constructor(
    private readonly orders: Orders,
    private at: number,
  ) {
    const { accept, key } = orders;
    this.#headers = { accept, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
    this.#path = this.#start;
  }

  get #start(): string {
    return `/api/pix/${this.orders.ispb}/stream/start`;
  }

  async collect(): Promise<Ending> {
    try {
      for (;;) {
        const ending = await this.#follow();
        if (ending) return ending;
      }
    } finally {
      this.#connection.close();
    }
  }

  /** One GET. Returns how the collector ends, or undefined when it goes on. */
  async #follow(): Promise<Ending | undefined> {
    const { stop, crash, tally } = this.orders;
    if (stop.aborted) return (await this.#end()) ?? { kind: 'stopped' };
    // The token of a start would be lost with its answer, and its slot until the stream expires.
    const crashes = this.#path !== this.#start && Math.random() < crash;
    const reply = await this.#answered('GET', crashes && Math.random() < 0.5);
    if (reply === undefined) return undefined;
    const { status, headers } = reply;
    if (status === 429) return { kind: 'full', retryAfterS: Number(headers['retry-after']) };
    if (status !== 200 && status !== 204) return this.#refused(reply);
    if (status === 200) {
      this.#last = idsOf(reply.body);
      tally.receive(this.#last, this.#stream);
      if (crashes) return this.#forget();
    }
    this.#path = String(headers['pull-next']);
    return status === 204 ? ((await this.#end()) ?? { kind: 'drained' }) : undefined;
  }

  /** A crash after an answer: the collector knows its token before, and asks with it again. */
  #forget(): undefined {
    this.#stream.forgotten = new Set(this.#last);
    this.#crash();
  }

  #crash(): undefined {
    this.orders.tally.crashes += 1;
    this.#connection.close();
  }

  /** Ends the stream, so that its slot is free. Returns an ending only when that is refused. */
  async #end(): Promise<Ending | undefined> {
    if (this.#path === this.#start) return undefined;
    const reply = await this.#answered('DELETE', false);
    return reply === undefined || reply.status === 200 ? undefined : this.#refused(reply);
  }

  /** Starts another stream when this one has expired; else the collector cannot go on. */
  #refused({ status, body }: Reply): Ending | undefined {
    const { code, detail } = problemOf(body);
    if (code !== 'PIX.STREAM_EXPIRED')
      return { kind: 'refused', reason: `${detail ?? 'an answer'} (${code ?? status})` };
    this.#stream.returned = new Set(this.#last);
    this.#stream = new FollowedStream();
    this.#last = [];
    this.#path = this.#start;
    return undefined;
  }

  /**
   * The first answer that is no outage. Throws after a while without one. Undefined when it was lost on purpose, or when the
   * collector was told to stop while it waited.
   */
  async #answered(method: 'GET' | 'DELETE', dropped: boolean): Promise<Reply | undefined> {
    const { bases, stop } = this.orders;
    const waits = method === 'GET';
    const until = performance.now() + RETRIED_FOR_MS;
    for (let pause = PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const base = bases[this.at % bases.length] as string;
      let problem: string;
      try {
        const url = new URL(base + this.#path);
        const signal = waits ? { signal: stop } : {};
        const reply = await this.#connection.ask(url, { method, headers: this.#headers, dropped, ...signal });
        if (reply.status < 500) return reply;
        problem = `it answered ${reply.status}`;
      } catch (error) {
        if (waits && stop.aborted) return undefined;
        problem = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
        if (problem === DROPPED) return this.#crash();
      }
      if (performance.now() > until) throw new Error(`nothing was collected at ${base} for a minute: ${problem}`);
      this.at += 1;
      await delay(pause);
    }
  }
}

function idsOf(body: string): string[] {
  const messages = [JSON.parse(body)].flat() as { endToEndId: string }[];
  return messages.map(({ endToEndId }) => endToEndId);
}

function problemOf(body: string): { code?: string; detail?: string } {
  try {
    return JSON.parse(body) as { code?: string; detail?: string };
  } catch {
    return {};
  }
}
