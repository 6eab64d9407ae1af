import { once } from 'node:events';
import { setTimeout as delay, setInterval } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../telemetry/log.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** How often the connection is asked for a sign of life, and how long that may take: a half-open one reports no error. */
const LOOK_EVERY_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** The wait before the next connection, doubled with each failure; a random part of it, half at least. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

interface Listening {
  /** Used unchanged, with all its options. */
  databaseUrl: string;
  /** As in pg_notify: letter case counts. */
  channel: string;
  /** Called with the payload of each notification, which is empty where it has none. Must not throw. */
  onNotice: (payload: string) => void;
  /**
   * Called after each LISTEN, the first one and that of every new connection. What was sent before it is not heard, so the
   * user reads now what may have been missed. Must not throw.
   */
  onListening: () => void;
  log: Log;
}

/**
 * Hears the notifications of one channel, on a connection to PostgreSQL apart from the pool, and connects again after any
 * break. A notification is a hint and no more: none comes during a break, or through a pooler of transactions. So its user
 * also looks from time to time.
 */
export class PostgresListener {
  /** Since the last sign of life. */
  #failures = 0;
  #isOut = false;

  constructor(private readonly listening: Listening) {}

  /** Listens until `stop` aborts, and returns at once then. Never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const over = new AbortController();
      try {
        await Promise.race([this.#hear(over.signal), once(stop, 'abort', { signal: over.signal })]);
      } catch (error) {
        this.#broke(error);
      } finally {
        over.abort();
      }
      const atMostMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LONGEST_RETRY_MS);
      await delay(atMostMs * (1 - Math.random() / 2), undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** One connection, from its beginning to its end, which is always a rejection. `over` ends it. */
  async #hear(over: AbortSignal): Promise<never> {
    const client = new pg.Client({
      connectionString: this.listening.databaseUrl,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
    });
    // A connection may report more than one error, and one without a listener would end the process.
    client.on('error', () => {});
    client.on('notification', ({ payload = '' }) => this.listening.onNotice(payload));
    over.addEventListener('abort', () => void client.end());
    await Promise.race([once(client, 'end', { signal: over }), this.#listen(client, over)]);
    throw new Error('the connection ended');
  }

  async #listen(client: pg.Client, over: AbortSignal): Promise<void> {
    await client.connect();
    await client.query(`LISTEN ${client.escapeIdentifier(this.listening.channel)}`);
    this.#works();
    for await (const _ of setInterval(LOOK_EVERY_MS, undefined, { signal: over })) {
      await client.query('SELECT 1');
      this.#failures = 0;
    }
  }

  #works(): void {
    const { channel, log, onListening } = this.listening;
    if (this.#isOut) log.info({ channel }, 'notifications of the database are heard again');
    this.#isOut = false;
    onListening();
  }

  /** Logs an outage when it begins, not at each try. */
  #broke(error: unknown): void {
    const { channel, log } = this.listening;
    if (!this.#isOut)
      log.warn({ channel, err: error }, 'notifications of the database are not heard; connecting until they are');
    this.#isOut = true;
  }
}
