import { Injectable } from '@nestjs/common';
import type { Page, PageQuery, Slice } from '../../platform/http/slices.js';
import { textRows } from '../../platform/stores/copy-rows.js';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { pageOfRows, requiredRow, rowsInIndexOrder } from '../../platform/stores/rows.js';
import { CHUNK_COLUMNS, type Chunk } from './file/chunk.js';
import type { Reject } from './imports.schemas.js';

/** An import whose file was read. */
export interface NewImport {
  importNo: number;
  id: string;
  companyNo: number;
  userId: string;
  fileName: string | null;
  bytes: number;
  sha256: Buffer;
  lines: number;
  blank: number;
  accepted: number;
  rejected: number;
}

/** An import as the database has it, its counters as the sums of its chunks. */
export interface ImportRow {
  import_no: number;
  id: string;
  company_id: string;
  file_name: string | null;
  sha256: string;
  bytes: string;
  lines: number;
  blank: number;
  accepted: number;
  rejected: number;
  waiting: number;
  created: number;
  repeated: number;
  conflicting: number;
  repeats_import: string | null;
  rejects: Reject[];
  created_at: Date;
  finished_at: Date | null;
}

/** What became of the lines of a chunk. */
export interface Merged {
  created: number;
  repeated: number;
  conflicting: number;
}

const SHOWN_REJECTS = 20;
/**
 * One statement reads the counters, so that they add up at every moment: a chunk gets its three numbers in the transaction
 * that inserts its debts.
 */
const IMPORTS = `
  SELECT i.import_no, i.id, b.company_id, i.file_name, encode(i.sha256, 'hex') AS sha256, i.bytes, i.lines, i.blank,
         i.accepted, i.rejected, merged.waiting, merged.created, merged.repeated, merged.conflicting,
         (SELECT e.id FROM billing_imports e
           WHERE e.company_no = i.company_no AND e.sha256 = i.sha256 AND e.import_no < i.import_no
           ORDER BY e.import_no LIMIT 1) AS repeats_import,
         (SELECT coalesce(json_agg(json_build_object('line', r.line, 'column', r.column_name, 'value', r.value,
                                                     'reason', r.reason) ORDER BY r.line), '[]')
            FROM (SELECT * FROM billing_rejects r WHERE r.import_no = i.import_no ORDER BY r.line LIMIT ${SHOWN_REJECTS}) r
         ) AS rejects,
         i.created_at, CASE WHEN merged.waiting = 0 THEN coalesce(merged.finished_at, i.created_at) END AS finished_at
    FROM billing_imports i JOIN billing_companies b USING (company_no)
   CROSS JOIN LATERAL (
     SELECT coalesce(sum(rows) FILTER (WHERE merged_at IS NULL), 0)::int AS waiting,
            coalesce(sum(created), 0)::int AS created, coalesce(sum(repeated), 0)::int AS repeated,
            coalesce(sum(conflicting), 0)::int AS conflicting, max(merged_at) AS finished_at
       FROM billing_import_chunks c WHERE c.import_no = i.import_no) merged
   WHERE i.company_no = $1`;
/** A chunk takes about a second; one that takes so long has lost its connection, and is begun again. */
const MERGE_MS = 300_000;

/** Every statement on imports, their chunks and their rejects. */
@Injectable()
export class ImportsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Drawn before the import's row is written: chunks and rejects come first. */
  async nextNumber(sql: Sql): Promise<number> {
    const row = await sql.one<{ no: number }>(
      `SELECT nextval(pg_get_serial_sequence('billing_imports', 'import_no'))::int AS no`,
    );
    return requiredRow(row).no;
  }

  insertChunk(sql: Transaction, importNo: number, chunk: Chunk): Promise<void> {
    return sql.copyFrom(
      `COPY billing_import_chunks (${CHUNK_COLUMNS}) FROM STDIN (FORMAT binary)`,
      chunk.copyOf(importNo),
    );
  }

  insertRejects(sql: Transaction, importNo: number, rejects: readonly Reject[]): Promise<void> {
    return sql.copyFrom(
      'COPY billing_rejects (import_no, line, column_name, reason, value) FROM STDIN',
      textRows(rejects, ({ line, column, reason, value }) => [importNo, line, column, reason, value]),
    );
  }

  async insertImport(sql: Transaction, made: NewImport): Promise<void> {
    const { importNo, id, companyNo, userId, fileName, bytes, sha256, lines, blank, accepted, rejected } = made;
    await sql.query(
      `INSERT INTO billing_imports (import_no, id, company_no, user_id, file_name, bytes, sha256, lines, blank, accepted,
                                    rejected)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [importNo, id, companyNo, userId, fileName, bytes, sha256, lines, blank, accepted, rejected],
    );
  }

  find(companyNo: number, id: string, sql: Sql = this.postgres): Promise<ImportRow | undefined> {
    return sql.one<ImportRow>(`${IMPORTS} AND i.id = $2`, [companyNo, id]);
  }

  /** Newest first. */
  list(companyNo: number, page: PageQuery): Promise<Page<ImportRow>> {
    return pageOfRows<ImportRow>(this.postgres, IMPORTS, 'import_no DESC', [companyNo], page);
  }

  /** The number of an import of this company; undefined: there is none. */
  async numberOf(companyNo: number, id: string): Promise<number | undefined> {
    const row = await this.postgres.one<{ import_no: number }>(
      'SELECT import_no FROM billing_imports WHERE company_no = $1 AND id = $2',
      [companyNo, id],
    );
    return row?.import_no;
  }

  /** By line, those of the file and the conflicts. */
  rejects(importNo: number, { after, limit }: Slice): Promise<Reject[]> {
    return rowsInIndexOrder<Reject>(
      this.postgres,
      `SELECT line, column_name AS "column", value, reason FROM billing_rejects
        WHERE import_no = $1 AND line > $2 ORDER BY line LIMIT $3`,
      [importNo, after, limit],
    );
  }

  /** The imports of living companies that have chunks to merge, the oldest first. */
  async unmerged(): Promise<number[]> {
    const rows = await this.postgres.query<{ import_no: number }>(
      `SELECT DISTINCT import_no FROM billing_import_chunks c JOIN billing_imports i USING (import_no)
         JOIN billing_companies b USING (company_no)
        WHERE c.merged_at IS NULL AND NOT b.deleted ORDER BY import_no`,
    );
    return rows.map(({ import_no }) => import_no);
  }

  /**
   * Merges the import's next chunk, in a transaction of its own, and returns what became of its lines. Undefined: nothing is
   * left, or the company is deleted.
   */
  mergeChunk(importNo: number): Promise<Merged | undefined> {
    const merge = async (sql: Transaction) => {
      const row = await sql.one<{ merged: boolean }>('SELECT billing_merge_chunk($1) AS merged', [importNo]);
      // Chunks are merged in their order, and the import is still locked: the last one is this one.
      return requiredRow(row).merged
        ? sql.one<Merged>(
            `SELECT created, repeated, conflicting FROM billing_import_chunks
              WHERE import_no = $1 AND merged_at IS NOT NULL ORDER BY first_line DESC LIMIT 1`,
            [importNo],
          )
        : undefined;
    };
    return this.postgres.unlessSilent(() => this.postgres.transaction(merge), MERGE_MS);
  }
}
