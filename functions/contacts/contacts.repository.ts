import { Injectable } from '@nestjs/common';
import { Postgres } from '../platform/stores/postgres.js';
import { requiredRow } from '../platform/stores/rows.js';
import type { ContactStats } from './contacts.schemas.js';

/** Batches that a statement shows as begun, and that are shown so at a time: a few workers' work, and no more than that. */
const STARTED_AT_ONCE = 20;
const BEGUN = 40;
/** Rows of a statement of the sweep: a short one lets others pass. */
const SWEPT_AT_ONCE = 200;
/** What a worker takes: as process_contacts has it. */
const READY = `done_at IS NULL AND started_at IS NOT NULL AND (not_before IS NULL OR not_before < clock_timestamp())`;

/** How a batch is now. `failed`: the numbers of its jobs that failed, with the reason. */
export interface BatchRow {
  /** A bigint. */
  id: string;
  size: number;
  started: boolean;
  done: boolean;
  failed: Record<string, string>;
}

/** A batch that a worker has brought to its end. */
export interface EndedBatch {
  batch: string;
  size: number;
  failures: number;
}

/** How much is waiting, and how fast it is done. */
export interface Backlog {
  /** Jobs accepted and not done. */
  waiting: number;
  /** Jobs done in the last ten seconds. */
  done: number;
}

/** What a scrape asks: jobs, and seconds since the oldest was accepted (0: there is none). */
export interface Standing {
  waiting: number;
  active: number;
  oldest_waiting_s: number;
  oldest_active_s: number;
}

/** Rows of contacts that lack their parts, and parts that lack their contact. */
interface Orphans {
  contacts_without_team: number;
  parts_without_contact: number;
}

/** Every statement on the tables of contacts. Each commits by itself: between BEGIN and COMMIT a frozen function keeps locks. */
@Injectable()
export class ContactsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** The first of a block of 1,000 ids that belong to the caller. */
  async nextBlock(): Promise<bigint> {
    return BigInt(
      requiredRow(await this.postgres.one<{ id: string }>(`SELECT nextval('contact_batch_blocks') AS id`)).id,
    );
  }

  /** Stores a group as one batch. False: this id was there before, and nothing was changed. */
  async accept(id: bigint, lines: readonly string[]): Promise<boolean> {
    const stored = await this.postgres.query(
      `INSERT INTO contact_batches (id, size, payload) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING RETURNING id`,
      [id, lines.length, lines.join('\n')],
    );
    return stored.length > 0;
  }

  /**
   * Whether the batch of this id is of these lines: a repeat finds its own, or a stranger's that got the id from a promoted
   * standby. Of one that is done no copy is left: then what became of each line must be what its job says.
   */
  async holds(id: bigint, lines: readonly string[]): Promise<boolean> {
    const row = await this.postgres.one<{ own: boolean }>(
      `SELECT b.size = cardinality($2::text[]) AND CASE WHEN b.payload IS NOT NULL THEN b.payload = array_to_string($2::text[], E'\n')
                ELSE NOT EXISTS (SELECT FROM unnest($2::text[]) WITH ORDINALITY AS given(line, at)
                                   LEFT JOIN contacts c ON c.id = (line::jsonb->>'id')::uuid
                                  WHERE NOT b.failed ? (b.id * 1000 + at - 1)::text
                                    AND c.content IS DISTINCT FROM sha256(convert_to(line, 'UTF8'))) END AS own
         FROM contact_batches b WHERE b.id = $1`,
      [id, lines],
    );
    return row?.own === true;
  }

  /** Shows the oldest waiting batches as active, while few are: `active` must not run away from the work. */
  async start(): Promise<void> {
    await this.postgres.query(
      `UPDATE contact_batches SET started_at = clock_timestamp() WHERE id IN
         (SELECT id FROM contact_batches WHERE done_at IS NULL AND started_at IS NULL ORDER BY id
           LIMIT (SELECT least(${STARTED_AT_ONCE}, ${BEGUN} - count(*)) FROM (SELECT FROM contact_batches WHERE ${READY} LIMIT ${BEGUN}) AS begun)
             FOR UPDATE SKIP LOCKED)`,
    );
  }

  /** Brings up to `atMost` started batches to their end, in one transaction. None: nothing is owed that others do not hold. */
  process(atMost: number): Promise<EndedBatch[]> {
    return this.postgres.query<EndedBatch>(`SELECT batch, size, failures FROM process_contacts($1)`, [atMost]);
  }

  /**
   * Puts off the batch that process(1) would take: 2 s, doubled with each attempt, ten minutes at most. Another worker may
   * hold that one by now, and then the next is put off, which costs it these seconds.
   */
  async putOff(): Promise<void> {
    await this.postgres.query(
      `UPDATE contact_batches
          SET attempts = attempts + 1,
              not_before = clock_timestamp() + least(interval '10 minutes', interval '1 second' * power(2, least(attempts, 10) + 1))
        WHERE id = (SELECT id FROM contact_batches WHERE ${READY} ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
    );
  }

  /** The batches that there are of these ids. */
  batches(ids: readonly string[]): Promise<BatchRow[]> {
    return this.postgres.query<BatchRow>(
      `SELECT id, size, started_at IS NOT NULL AS started, done_at IS NOT NULL AS done, failed
         FROM contact_batches WHERE id = ANY ($1::bigint[])`,
      [ids],
    );
  }

  async backlog(): Promise<Backlog> {
    const row = await this.postgres.one<Record<keyof Backlog, string>>(
      `SELECT (SELECT coalesce(sum(size), 0) FROM contact_batches WHERE done_at IS NULL) AS waiting,
              (SELECT coalesce(sum(size), 0) FROM contact_batches WHERE done_at > now() - interval '10 seconds') AS done`,
    );
    const { waiting, done } = requiredRow(row);
    return { waiting: Number(waiting), done: Number(done) };
  }

  /** Reads every batch that is kept. */
  async stats(): Promise<ContactStats> {
    const row = await this.postgres.one<Record<keyof ContactStats, string>>(
      `SELECT coalesce(sum(size) FILTER (WHERE started_at IS NULL), 0) AS waiting,
              coalesce(sum(size) FILTER (WHERE started_at IS NOT NULL AND done_at IS NULL), 0) AS active,
              coalesce(sum(size - failures) FILTER (WHERE done_at IS NOT NULL), 0) AS completed,
              coalesce(sum(failures), 0) AS failed,
              floor(greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(accepted_at) FILTER (WHERE started_at IS NULL)), 0)))::int
                AS oldest_waiting_s
         FROM contact_batches, LATERAL
              (SELECT CASE failed WHEN '{}' THEN 0 ELSE (SELECT count(*) FROM jsonb_object_keys(failed)) END AS failures) AS f`,
    );
    const { waiting, active, completed, failed, oldest_waiting_s } = requiredRow(row);
    return {
      waiting: Number(waiting),
      active: Number(active),
      completed: Number(completed),
      failed: Number(failed),
      oldest_waiting_s: Number(oldest_waiting_s),
    };
  }

  /** Reads the batches that are not done. */
  async standing(): Promise<Standing | undefined> {
    return this.postgres.one<Standing>(
      `SELECT coalesce(sum(size) FILTER (WHERE started_at IS NULL), 0)::float8 AS waiting,
              coalesce(sum(size) FILTER (WHERE started_at IS NOT NULL), 0)::float8 AS active,
              greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(accepted_at) FILTER (WHERE started_at IS NULL)), 0))::float8
                AS oldest_waiting_s,
              greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(accepted_at) FILTER (WHERE started_at IS NOT NULL)), 0))::float8
                AS oldest_active_s
         FROM contact_batches WHERE done_at IS NULL`,
    );
  }

  /** Deletes some of the oldest batches that are done for longer than `keepS`; returns how many. Contacts stay. */
  async sweep(keepS: number): Promise<number> {
    const gone = await this.postgres.query(
      `DELETE FROM contact_batches WHERE id IN
         (SELECT id FROM contact_batches WHERE done_at < now() - $1 * interval '1 second' ORDER BY done_at LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED)
       RETURNING id`,
      [keepS],
    );
    return gone.length;
  }

  /** Looks at what was stored in the last minutes: what foreign keys would hold at each insert. Both counts must be 0. */
  async orphans(withinS: number): Promise<Orphans> {
    const row = await this.postgres.one<Orphans>(
      `WITH batch AS (SELECT id * 1000 AS low, id * 1000 + 999 AS high FROM contact_batches
                       WHERE done_at > now() - $1 * interval '1 second')
       SELECT (SELECT count(*) FROM batch JOIN contacts c ON c.job BETWEEN low AND high
                WHERE NOT EXISTS (SELECT FROM contact_teams t WHERE t.job = c.job))::int AS contacts_without_team,
              (SELECT count(*) FROM batch, LATERAL
                 (SELECT job FROM contact_teams WHERE job BETWEEN low AND high UNION ALL
                  SELECT job FROM contact_projects WHERE job BETWEEN low AND high UNION ALL
                  SELECT job FROM contact_logs WHERE job BETWEEN low AND high) AS part
                WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.job = part.job))::int AS parts_without_contact`,
      [withinS],
    );
    return requiredRow(row);
  }

  /** Whether there is such a contact. */
  async has(id: string): Promise<boolean> {
    return (await this.postgres.one(`SELECT FROM contacts WHERE id = $1`, [id])) !== undefined;
  }

  /** Deletes the rows of a contact in all four tables; returns whether there was one. */
  async forget(id: string): Promise<boolean> {
    const row = await this.postgres.one<{ gone: number }>(`SELECT forget_contact($1) AS gone`, [id]);
    return requiredRow(row).gone > 0;
  }

  /** How many batches that are not done hold a user of this id: its processing would make the contact again. */
  async waitingFor(id: string): Promise<number> {
    const row = await this.postgres.one<{ batches: number }>(
      `SELECT count(*)::int AS batches FROM contact_batches WHERE done_at IS NULL AND payload LIKE '%"id":"' || $1 || '"%'`,
      [id],
    );
    return requiredRow(row).batches;
  }
}
