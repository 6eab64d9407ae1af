import type pg from 'pg';

/** One message in the three places where it can be. */
interface MessageNow {
  /** Its endToEndId. */
  name: string;
  /** How often it waits, and how many open streams hold it. */
  waiting: number;
  held: number;
  /** The stream that acknowledged it. */
  by: string | null;
}

interface StreamNow {
  id: string;
  ispb: string;
  slot: number;
  closed_by: string | null;
  /** All of the row. */
  row: string;
}

/** What is committed. */
export interface Tables {
  messages: MessageNow[];
  streams: StreamNow[];
}

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'pix',
    text: `SELECT
      (SELECT coalesce(json_agg(json_build_object('name', end_to_end_id, 'by', d.stream_id,
          'waiting', (SELECT count(*) FROM pix_waiting w WHERE w.ispb = m.ispb AND w.message_id = m.id),
          'held', coalesce(held.times, 0))), '[]')
         FROM pix_messages m
         LEFT JOIN pix_deliveries d ON d.message_id = m.id
         LEFT JOIN (SELECT message, count(*) AS times FROM pix_streams, unnest(batch) AS b (message) WHERE closed_at IS NULL GROUP BY 1) held
           ON held.message = m.id) AS messages,
      (SELECT coalesce(json_agg(json_build_object('id', id, 'ispb', ispb, 'slot', slot, 'closed_by', closed_by,
          'row', s::text)), '[]') FROM pix_streams s) AS streams`,
  });
  const [tables] = rows;
  if (!tables) throw new Error('no row');
  return tables;
}

/** What clients have seen, and what that allows. */
export class Book {
  /** By stream: what answers brought that a client has received. */
  readonly #received = new Map<string, Set<string>>();
  /** By token: the batch that an answer brought with it. */
  readonly #with = new Map<string, readonly string[]>();
  /** By message: the stream whose client has been told that it is acknowledged. */
  readonly #confirmed = new Map<string, string>();
  /** At the last look. */
  #acknowledged = new Set<string>();
  readonly #closed = new Map<string, StreamNow>();
  /** How many messages somebody has acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Messages that nobody has acknowledged, at the last look. */
  owed = 0;
  /** The ids of open streams, at the last look. */
  open: string[] = [];

  /** A process has read these messages for an answer, which may be lost. */
  handsOut(stream: string, names: readonly string[]): void {
    const again = names.filter((name) => this.#acknowledged.has(name) || this.#confirmed.has(name));
    if (again.length > 0) throw new Error(`${again} is acknowledged, and handed out again by ${stream}`);
  }

  /** A client has an answer with this batch and this next token. */
  receives(token: string, names: readonly string[]): void {
    const stream = token.slice(0, 8);
    this.#received.set(stream, new Set([...(this.#received.get(stream) ?? []), ...names]));
    this.#with.set(token, names);
  }

  /** A client has heard that what this token acknowledges is done. */
  confirms(token: string): void {
    const stream = token.slice(0, 8);
    for (const name of this.#with.get(token) ?? []) {
      const before = this.#confirmed.get(name) ?? stream;
      if (before !== stream) throw new Error(`${name} is confirmed to ${before} and to ${stream}`);
      this.#confirmed.set(name, stream);
    }
  }

  /** As it is now, for a look that begins. */
  get confirmed(): ReadonlyMap<string, string> {
    return new Map(this.#confirmed);
  }

  /** How the stream had ended at the last look. */
  endOf(stream: string): string | null {
    return this.#closed.get(stream)?.closed_by ?? null;
  }

  /** Throws what does not hold at a commit, given what was confirmed before. Remembers what it saw for the next time. */
  check({ messages, streams }: Tables, confirmed = this.confirmed): void {
    for (const message of messages) {
      const wrong = this.#wrongIn(message, confirmed.get(message.name));
      if (wrong) throw new Error(`${wrong}: ${JSON.stringify(message)}`);
    }
    this.#checkStreams(streams);
    const acknowledged = messages.filter(({ by }) => by !== null);
    this.#acknowledged = new Set(acknowledged.map(({ name }) => name));
    this.owed = messages.length - acknowledged.length;
    this.open = streams
      .filter(({ closed_by }) => closed_by === null)
      .map(({ id }) => id)
      .sort();
  }

  #wrongIn({ name, waiting, held, by }: MessageNow, confirmed: string | undefined): string | undefined {
    if (waiting + held + (by === null ? 0 : 1) !== 1) return 'not in exactly one place';
    // The heart.
    if (by !== null && !this.#received.get(by)?.has(name))
      return 'acknowledged, and no client of that stream has seen it';
    if (confirmed !== undefined && by !== confirmed) return `confirmed to ${confirmed}, and not acknowledged by it`;
    return undefined;
  }

  #checkStreams(streams: readonly StreamNow[]): void {
    const open = streams.filter(({ closed_by }) => closed_by === null);
    const slots = new Set(open.map(({ ispb, slot }) => `${ispb} ${slot}`));
    if (slots.size < open.length) throw new Error(`two open streams in a slot: ${JSON.stringify(open)}`);
    for (const ispb of new Set(open.map((stream) => stream.ispb))) {
      const count = open.filter((stream) => stream.ispb === ispb).length;
      if (count > 6) throw new Error(`${count} open streams of ${ispb}`);
    }
    for (const stream of streams) {
      const before = this.#closed.get(stream.id);
      if (before && before.row !== stream.row) throw new Error(`closed, and changed: ${before.row} ${stream.row}`);
      if (stream.closed_by !== null) this.#closed.set(stream.id, stream);
    }
  }
}
