import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import { ZONE } from '../zone.js';

/** What is owed: lines to be merged, debts to be issued, mails to be sent, mails that a person decides about, titles to be written off. */
export const WORKS = ['merge', 'issue', 'send', 'held', 'write_off'] as const;

/** The name of a kind of work. */
export type Work = (typeof WORKS)[number];

/** What all companies are owed. */
export interface Standing {
  /** COUNTED_AT_MOST for as many or more. */
  owed: Record<Work, number>;
  /** Since the oldest of them could be done; 0 where there is none. */
  oldest_s: Record<Work, number>;
}

/** A scrape stays short, however much is owed. */
export const COUNTED_AT_MOST = 100_000;

/**
 * One row a kind of work. Of a company that is deleted only write-offs are owed, as nothing else of it is done any more. Without ORDER BY:
 * for one by seq the planner may read an index by seq alone, with the rows of all companies.
 */
const STANDING = `WITH living AS MATERIALIZED (
    SELECT company_no, (SELECT s.issue_days_before FROM billing_settings s WHERE s.company_no = b.company_no
                         ORDER BY s.version DESC LIMIT 1) AS days
      FROM billing_companies b WHERE NOT b.deleted),
  merge AS (
    SELECT c.rows, i.created_at AS since
      FROM billing_import_chunks c JOIN billing_imports i USING (import_no) JOIN living USING (company_no)
     WHERE c.merged_at IS NULL LIMIT ${COUNTED_AT_MOST}),
  issue AS (
    SELECT d.since FROM living CROSS JOIN LATERAL (
      -- By the day that billing_claim_issue waits for.
      SELECT greatest(created_at, (due_on - days)::timestamp AT TIME ZONE '${ZONE}') AS since FROM (
        SELECT created_at, due_on FROM billing_debts
         WHERE company_no = living.company_no
           AND issued_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL AND failed_at IS NULL
         LIMIT ${COUNTED_AT_MOST}) AS owed
       WHERE days IS NULL OR due_on - days <= (clock_timestamp() AT TIME ZONE '${ZONE}')::date) AS d
     LIMIT ${COUNTED_AT_MOST}),
  send AS (
    SELECT d.since FROM living CROSS JOIN LATERAL (
      SELECT greatest(message_date, next_at) AS since FROM (
        SELECT message_date, next_at FROM billing_deliveries
         WHERE company_no = living.company_no AND outcome IS NULL AND began_at IS NULL
         LIMIT ${COUNTED_AT_MOST}) AS owed
       WHERE next_at IS NULL OR next_at <= clock_timestamp()) AS d
     LIMIT ${COUNTED_AT_MOST}),
  held AS (
    SELECT d.held_at AS since FROM billing_deliveries d JOIN living USING (company_no)
     WHERE d.outcome IS NULL AND d.held_at IS NOT NULL LIMIT ${COUNTED_AT_MOST}),
  write_off AS (
    SELECT d.since FROM billing_companies b CROSS JOIN LATERAL (
      SELECT cancelled_at AS since FROM billing_debts
       WHERE company_no = b.company_no
         AND cancelled_at IS NOT NULL AND asked_at IS NOT NULL AND written_off_at IS NULL
       LIMIT ${COUNTED_AT_MOST}) AS d
     LIMIT ${COUNTED_AT_MOST}),
  each AS (
    SELECT 'merge' AS work, least(coalesce(sum(rows), 0), ${COUNTED_AT_MOST}) AS owed, min(since) AS since FROM merge
    UNION ALL SELECT 'issue', count(*), min(since) FROM issue
    UNION ALL SELECT 'send', count(*), min(since) FROM send
    UNION ALL SELECT 'held', count(*), min(since) FROM held
    UNION ALL SELECT 'write_off', count(*), min(since) FROM write_off)
SELECT json_object_agg(work, owed) AS owed,
       json_object_agg(work, coalesce(extract(epoch FROM clock_timestamp() - since), 0)::float8) AS oldest_s
  FROM each`;

/** The statements on what is owed. */
@Injectable()
export class BillingUpkeepRepository {
  constructor(private readonly postgres: Postgres) {}

  /** In one statement, so of one moment. */
  async standing(): Promise<Standing> {
    return requiredRow(await this.postgres.one<Standing>(STANDING));
  }
}
