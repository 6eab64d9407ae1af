import { Injectable } from '@nestjs/common';
import { Deadline } from '../../platform/deadline.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended, isUniqueViolation, Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import type { StreamToken } from './stream-token.js';

/** From a read until the stream expires: the 60 s after its answer, and the 8 s that the answer may take. */
const IDLE = '68 s';

/** A read that found messages: `read` is the next one, `body` is JSON with commas between the messages. */
interface Batch {
  outcome: 'batch';
  read: string;
  size: number;
  body: string;
}

/** A read that found none; `read` is the one that was asked with. */
interface Empty {
  outcome: 'empty';
  read: string;
}

/** What a read did; `outcome` is a word of pix_read. */
export type ReadResult = Batch | Empty | { outcome: Refusal };
export type Refusal = 'too_many' | 'unknown' | 'closed' | 'superseded' | 'expired';
/** What a start did: as a read, or nothing, as all slots are taken for `retry_after` seconds, or the id of another stream. */
export type StartResult = ReadResult | { outcome: 'full'; retry_after: number } | { outcome: 'exists' };
/** Whose wish it is that a stream ends. */
type Closer = 'collector' | 'disconnect';

/** The statements on streams and on what waits: the functions of migration 0015, in which the rules stand. */
@Injectable()
export class StreamsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Opens a stream with this token and reads it. `next`: of a token that a batch would bring. */
  async start(ispb: string, { stream, read }: StreamToken, next: string, limit: number): Promise<StartResult> {
    try {
      return await this.#call('* FROM pix_start($1, $2, $3, $4, $5, $6::interval)', [
        ispb,
        stream,
        read,
        next,
        limit,
        IDLE,
      ]);
    } catch (error) {
      if (isUniqueViolation(error, 'pix_streams_pkey')) return { outcome: 'exists' };
      throw error;
    }
  }

  /** The next messages, or the last ones again, `limit` at most. */
  read(ispb: string, { stream, read }: StreamToken, next: string, limit: number): Promise<ReadResult> {
    return this.#call('* FROM pix_read($1, $2, $3, $4, $5, $6::interval)', [ispb, stream, read, next, limit, IDLE]);
  }

  /** Whether a read of this token might bring more than nothing. Writes only when a stream is overdue (P11). */
  async look(ispb: string, { stream, read }: StreamToken): Promise<boolean> {
    // guard: EXISTS would read the whole table where most rows were of this ISPB when PostgreSQL last counted them; an order
    // goes by the index.
    const { worth } = await this.#call<{ worth: boolean }>(
      `(SELECT message_id FROM pix_waiting WHERE ispb = $1 ORDER BY message_id LIMIT 1) IS NOT NULL
         OR EXISTS (SELECT FROM pix_streams WHERE id = $2 AND (closed_at IS NOT NULL OR current_read <> $3))
         OR pix_expire_due($1) > 0 AS worth`,
      [ispb, stream, read],
    );
    return worth;
  }

  async close(ispb: string, { stream, read }: StreamToken, by: Closer): Promise<'closed' | Refusal> {
    const { outcome } = await this.#call<{ outcome: 'closed' | Refusal }>('pix_close($1, $2, $3, $4) AS outcome', [
      ispb,
      stream,
      read,
      by,
    ]);
    return outcome;
  }

  /**
   * The row of a SELECT. All of these may be asked again: a connection that falls silent is dropped, and what PostgreSQL gave
   * up for the sake of others is an outage to its caller, which tries on.
   * guard: a statement each, and not inside a transaction, as a function's deadline would have it: what a poll no longer
   * waits for would stay open, with the stream's lock, in a process that is frozen with the answer
   */
  async #call<T>(select: string, values: unknown[]): Promise<T> {
    const ask = () => this.postgres.unlessSilent(() => this.postgres.one<T>(`SELECT ${select}`, values));
    try {
      return requiredRow(await Deadline.without(ask));
    } catch (error) {
      if (isContended(error)) throw new ServiceUnavailable('the database gave the statement up', error);
      throw error;
    }
  }
}
