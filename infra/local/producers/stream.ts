import { randomFrom } from '../../../testing/random.js';
import type { Options } from './options.js';
import { below, TYPES } from './types.js';

/** The clients that events are for. */
export const CLIENTS = ['client-1', 'client-2', 'client-3'] as const;
/** No JSON, so that it is no event. */
export const BAD_BODY = Buffer.from("Hello, I'm a bad message");
/** From how many of the last events one is taken to be sent once more. */
const RECENT = 100;

/** An event: the content of one message, or of several that are the same event. */
export interface ProducedEvent {
  /** Its `id` in the envelope. */
  id: string;
  type: string;
  clientId: string;
  /** The message as it is kept. */
  text: string;
  /** The envelope. */
  body: Buffer;
}

/** What is published. When it is published again because nobody confirmed it, nothing in it changes. */
export interface Message {
  /** The broker's id of it, where the broker lets us choose. */
  id: string;
  body: Buffer;
  /** Undefined: a bad one. */
  event: ProducedEvent | undefined;
}

/**
 * What is published, message after message. All but ids and times follows from the seed. `run` begins every id, so that
 * another run with the same seed publishes other events, and the same run once more the same ones.
 */
export class Stream {
  readonly #random: () => number;
  /** A ring. */
  readonly #recent: ProducedEvent[] = [];
  #made = 0;
  #events = 0;

  constructor(
    private readonly options: Pick<Options, 'types' | 'bad' | 'duplicate' | 'seed'>,
    readonly run: string,
  ) {
    this.#random = randomFrom(options.seed);
  }

  /** How many messages were made. */
  get made(): number {
    return this.#made;
  }

  /** A bad message, an earlier event once more, or a new event, by the shares of the options. */
  next(): Message {
    const id = `${this.run}-${++this.#made}`;
    const chance = this.#random();
    if (chance < this.options.bad) return { id, body: BAD_BODY, event: undefined };
    const isRepeat = chance < this.options.bad + this.options.duplicate;
    const repeated = isRepeat ? this.#recent[below(this.#random, this.#recent.length)] : undefined;
    const event = repeated ?? this.#event(id);
    return { id, body: event.body, event };
  }

  #event(id: string): ProducedEvent {
    const { types } = this.options;
    const type = types[below(this.#random, types.length)] ?? '';
    const clientId = CLIENTS[below(this.#random, CLIENTS.length)] ?? '';
    const message = TYPES[type]?.message(this.#random) ?? '';
    const time = new Date().toISOString();
    const body = Buffer.from(JSON.stringify({ id, event_type: type, client_id: clientId, time, message }));
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    const event = { id, type, clientId, text, body };
    this.#recent[this.#events++ % RECENT] = event;
    return event;
  }
}
