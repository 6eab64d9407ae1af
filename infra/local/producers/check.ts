import { createHash } from 'node:crypto';
import { pause, type Says, Service, untilUp } from '@disparo/contract';
import pg from 'pg';
import type { Outlet } from './publish.js';
import { BAD_BODY, type ProducedEvent, type Stream } from './stream.js';
import type { Tally } from './tally.js';

/** The newest rows before a run: what it stores has a higher id. */
interface Before {
  event: string;
  quarantined: string;
}

/** What is in the two tables of a run, and on the queue. */
interface Standing {
  events: number;
  quarantined: number;
  waiting: number;
}

const CONNECT_MS = 10_000;
const QUERY_MS = 60_000;
const LOOK_MS = 500;
/** So long nothing may change before the rest counts as missing: a processor waits up to 10 s for PostgreSQL. */
const STALL_MS = 20_000;
/** Repeats on their way to the store cannot be seen. */
const QUIET_MS = 1_000;
const SLICE = 1_000;
const NEVER = new AbortController().signal;

/** Compares what was confirmed in a run with the two tables. It only reads. */
export class Check {
  readonly #pool: pg.Pool;
  readonly #service: Service;
  #before: Before = { event: '0', quarantined: '0' };

  private constructor(
    databaseUrl: string,
    private readonly run: string,
    says: Says,
  ) {
    const limits = { connectionTimeoutMillis: CONNECT_MS, query_timeout: QUERY_MS, max: 1 };
    this.#pool = new pg.Pool({ connectionString: databaseUrl, ...limits });
    this.#pool.on('error', () => {});
    this.#service = new Service('PostgreSQL', 'DATABASE_URL', databaseUrl, says);
  }

  /** To be opened before the run. Throws ConfigurationError where PostgreSQL refuses us. */
  static async open(databaseUrl: string, run: string, says: Says): Promise<Check> {
    const check = new Check(databaseUrl, run, says);
    const [before] = await check.#query<Before>(
      `SELECT (SELECT coalesce(max(id), 0) FROM events)::text AS event,
              (SELECT coalesce(max(id), 0) FROM event_quarantine)::text AS quarantined`,
      [],
    );
    if (before) check.#before = before;
    return check;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  /** Waits until all is a row and the queue is empty, or nothing changes any more. Calls `look` with what is there. */
  async settled(tally: Tally, outlet: Outlet, look: (standing: Standing) => void): Promise<void> {
    const { distinct } = tally.summary;
    let last = '';
    let moved = performance.now();
    for (;;) {
      const standing = { ...(await this.#counts(tally)), waiting: await outlet.waiting() };
      look(standing);
      const { events, quarantined, waiting } = standing;
      if (waiting === 0 && events >= distinct && quarantined >= tally.badKeys.length) return pause(NEVER, QUIET_MS);
      const now = `${events} ${quarantined} ${waiting}`;
      if (now !== last) moved = performance.now();
      last = now;
      if (performance.now() - moved > STALL_MS) return;
      await pause(NEVER, LOOK_MS);
    }
  }

  /**
   * What differs, a sentence each. `again`: the stream of the run from its beginning, from which the same events follow.
   * Each event is to be one row of its company, client, type and message; each bad one is to be in quarantine, byte for byte;
   * nothing else of the run is to be anywhere. A bad one that SQS took without our knowing it has an id that no one knows, and
   * nothing of the run in it: it stands in quarantine and is not compared.
   */
  async differences(companyId: string, again: Stream, made: number, tally: Tally): Promise<string[]> {
    const events = await this.#compareEvents(companyId, again, made);
    const bad = await this.#compareBad(tally.badKeys);
    const more = await this.#others(events.found, bad.found);
    const refused = [...tally.refused].map(([reason, count]) => `${count} events were refused: ${reason}`);
    return [...refused, ...events.differences, ...bad.differences, ...more];
  }

  async #compareEvents(companyId: string, again: Stream, made: number) {
    const [missing, other]: [string[], string[]] = [[], []];
    let found = 0;
    while (again.made < made) {
      const wanted = new Map<string, ProducedEvent>();
      for (let at = 0; at < SLICE && again.made < made; at++) {
        const { id, event } = again.next();
        if (event?.id === id) wanted.set(`p:${id}`, event);
      }
      const rows = await this.#query<{ key: string; company: string; client: string; type: string; message: string }>(
        `SELECT e.dedupe_key AS key, e.company_id AS company, e.client_id AS client, t.name AS type, e.message
           FROM unnest($1::text[], $2::text[]) AS w (client_id, key)
           JOIN events e ON e.client_id = w.client_id AND e.dedupe_key = w.key JOIN event_types t ON t.id = e.type_id`,
        [[...wanted.values()].map(({ clientId }) => clientId), [...wanted.keys()]],
      );
      found += rows.length;
      for (const { key, company, client, type, message } of rows) {
        const event = wanted.get(key);
        const same =
          company === companyId && client === event?.clientId && type === event.type && message === event.text;
        if (!same) other.push(key);
        wanted.delete(key);
      }
      missing.push(...wanted.keys());
    }
    const differences = [
      ...told(missing, (keys) => `not among the events, though confirmed: ${keys}`),
      ...told(other, (keys) => `another company, type or message than was sent: ${keys}`),
    ];
    return { found, differences };
  }

  async #compareBad(keys: readonly string[]) {
    const hash = createHash('sha256').update(BAD_BODY).digest('hex');
    const [missing, other]: [string[], string[]] = [[], []];
    let found = 0;
    for (let at = 0; at < keys.length; at += SLICE) {
      const wanted = new Set(keys.slice(at, at + SLICE));
      const rows = await this.#query<{ key: string; reason: string; same: boolean }>(
        `SELECT dedupe_key AS key, reason, body = $2 AS same FROM event_quarantine WHERE source_key = ANY ($1)`,
        [[...wanted].map((key) => `q:${key}:${hash}`), BAD_BODY],
      );
      found += rows.length;
      for (const { key, reason, same } of rows) {
        if (reason !== 'invalid_envelope' || !same) other.push(key);
        wanted.delete(key);
      }
      missing.push(...wanted);
    }
    const differences = [
      ...told(missing, (some) => `bad, confirmed and not in quarantine: ${some}`),
      ...told(other, (some) => `bad, and in quarantine with another reason or other bytes: ${some}`),
    ];
    return { found, differences };
  }

  /** What is there of the run beyond what was found. */
  async #others(events: number, bad: number): Promise<string[]> {
    const [counted] = await this.#query<{ events: number }>(
      'SELECT count(*)::int AS events FROM events WHERE id > $1 AND starts_with(dedupe_key, $2)',
      [this.#before.event, `p:${this.run}-`],
    );
    const reasons = await this.#query<{ reason: string; own: boolean; rows: number }>(
      `SELECT reason, starts_with(dedupe_key, $2) AS own, count(*)::int AS rows FROM event_quarantine
        WHERE id > $1 AND (starts_with(dedupe_key, $2) OR starts_with(dedupe_key, $3)) GROUP BY reason, own ORDER BY reason`,
      [this.#before.quarantined, `p:${this.run}-`, `b:${this.run}-`],
    );
    const more = (counted?.events ?? 0) - events;
    const badRows = reasons.filter(({ own }) => !own).reduce((sum, { rows }) => sum + rows, 0);
    return [
      ...(more > 0 ? [`${more} more events than were sent`] : []),
      ...(badRows > bad ? [`${badRows - bad} more in quarantine than were sent`] : []),
      ...reasons.filter(({ own }) => own).map(({ reason, rows }) => `${rows} events are in quarantine: ${reason}`),
    ];
  }

  async #counts(tally: Tally): Promise<Omit<Standing, 'waiting'>> {
    const hash = createHash('sha256').update(BAD_BODY).digest('hex');
    const [counts] = await this.#query<Omit<Standing, 'waiting'>>(
      `SELECT (SELECT count(*)::int FROM events WHERE id > $1 AND starts_with(dedupe_key, $2)) AS events,
              (SELECT count(*)::int FROM event_quarantine WHERE source_key = ANY ($3)) AS quarantined`,
      [this.#before.event, `p:${this.run}-`, tally.badKeys.map((key) => `q:${key}:${hash}`)],
    );
    return counts ?? { events: 0, quarantined: 0 };
  }

  /** Waits while PostgreSQL is away. */
  #query<T>(text: string, values: unknown[]): Promise<T[]> {
    return untilUp(NEVER, this.#service, async () => (await this.#pool.query(text, values)).rows as T[]);
  }
}

/** How many, and the first of them. */
function told(keys: readonly string[], words: (some: string) => string): string[] {
  if (keys.length === 0) return [];
  const some = keys.slice(0, 3).join(', ');
  return [`${keys.length.toLocaleString('en')} ${words(keys.length > 3 ? `${some} ...` : some)}`];
}
