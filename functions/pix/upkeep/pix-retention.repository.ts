import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** A page of messages that hold personal data. `last`: the id of its last one, undefined: there are no more. */
export interface ErasePage {
  last: string | undefined;
  /** How many of them are acknowledged, and old. */
  due: number;
}

const MESSAGES_A_PAGE = 5_000;
/** $2: by id, and by an index that has only those that are not erased. What was erased is read by no later run. */
const PAGE = `page AS MATERIALIZED (
  SELECT id FROM pix_messages WHERE erased_at IS NULL AND id > $2 ORDER BY id LIMIT ${MESSAGES_A_PAGE})`;
/** $1: days. guard: what waits, or was handed out and not acknowledged, will be handed out again, and has to be whole then. */
const IS_DUE = 'd.acknowledged_at < clock_timestamp() - make_interval(days => $1)';
/** An array, so that each message and its delivery are found by their keys, whatever the planner thinks of the tables. */
const OF_PAGE = 'd.message_id = ANY (ARRAY(SELECT id FROM page))';

/** The statements that erase who paid and who received. */
@Injectable()
export class PixRetentionRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Looks at the page after a message, and changes nothing. */
  count(days: number, after: string): Promise<ErasePage> {
    return this.#page(
      `WITH ${PAGE} SELECT (SELECT max(id) FROM page) AS last,
         (SELECT count(*)::int FROM pix_deliveries d WHERE ${OF_PAGE} AND ${IS_DUE}) AS due`,
      [days, after],
    );
  }

  /** Erases what is due of the page after a message. What was acknowledged is never handed out again, nor changed otherwise. */
  erase(days: number, after: string): Promise<ErasePage> {
    return this.#page(
      `WITH ${PAGE}, erased AS (
         UPDATE pix_messages m
            SET payer_name = '', payer_document = '', payer_branch = '', payer_account = '',
                receiver_name = '', receiver_document = '', receiver_branch = '', receiver_account = '',
                free_text = '', erased_at = clock_timestamp()
           FROM pix_deliveries d
          WHERE ${OF_PAGE} AND ${IS_DUE} AND m.id = d.message_id AND m.erased_at IS NULL RETURNING m.id)
       SELECT (SELECT max(id) FROM page) AS last, (SELECT count(*)::int FROM erased) AS due`,
      [days, after],
    );
  }

  async #page(statement: string, values: unknown[]): Promise<ErasePage> {
    const { last, due } = requiredRow(await this.postgres.one<{ last: string | null; due: number }>(statement, values));
    return { last: last ?? undefined, due };
  }
}
