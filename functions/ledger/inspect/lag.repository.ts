import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';

/** How far the ledger is behind, as it is at this moment. */
export interface Lag {
  /** Campaigns that are not deleted, by their status. */
  pendente: number;
  enfileirado: number;
  enviando: number;
  enviado: number;
  pausado: number;
  cancelado: number;
  /**
   * Numbers of running campaigns: `unpublished` are not in the queue yet, `unstored` are in the queue and not stored yet.
   */
  unpublished: number;
  unstored: number;
  /** Seconds since the oldest running campaign that is not wholly published was accepted; 0 when there is none. */
  unpublished_seconds: number;
  /** Seconds since the oldest chunk of a running campaign that is not stored was published; 0 when there is none. */
  unstored_seconds: number;
}

/** In the words of R1: what is not stopped, and not all stored. */
const RUNS = "NOT c.deleted AND c.status IN ('pendente', 'enfileirado', 'enviando')";

/** What a scrape asks of the ledger. */
@Injectable()
export class LagRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * One statement, so that its numbers agree with one another. It reads all campaigns, a tenth of a second for 100,000 of
   * them, but only those chunks that are not stored.
   */
  async lag(): Promise<Lag | undefined> {
    return this.postgres.one<Lag>(
      `SELECT count(*) FILTER (WHERE c.status = 'pendente')::int AS pendente,
              count(*) FILTER (WHERE c.status = 'enfileirado')::int AS enfileirado,
              count(*) FILTER (WHERE c.status = 'enviando')::int AS enviando,
              count(*) FILTER (WHERE c.status = 'enviado')::int AS enviado,
              count(*) FILTER (WHERE c.status = 'pausado')::int AS pausado,
              count(*) FILTER (WHERE c.status = 'cancelado')::int AS cancelado,
              coalesce(sum(c.total - c.published) FILTER (WHERE ${RUNS}), 0)::float8 AS unpublished,
              coalesce(sum(c.published - c.stored) FILTER (WHERE ${RUNS}), 0)::float8 AS unstored,
              coalesce(extract(epoch FROM clock_timestamp()
                - min(c.created_at) FILTER (WHERE ${RUNS} AND c.published < c.total)), 0)::float8 AS unpublished_seconds,
              coalesce(extract(epoch FROM clock_timestamp() - (
                SELECT min(k.published_at) FROM campaign_chunks k JOIN campaigns c ON c.id = k.campaign_id
                 WHERE k.stored_at IS NULL AND ${RUNS})), 0)::float8 AS unstored_seconds
         FROM campaigns c WHERE NOT c.deleted`,
    );
  }
}
