import pg from 'pg';
import type { ApiStage } from '../../../testing/api-stage.js';

/** Each column of all tables where a row holds one of these texts, in either letter case. */
export async function columnsWith(stage: ApiStage, ...texts: string[]): Promise<string[]> {
  const columns = await stage.sql<{ name: string; found: string }>(
    `SELECT table_name || '.' || column_name AS name,
            format('SELECT count(*)::int AS count FROM %I WHERE %I::text ILIKE ANY ($1)', table_name, column_name) AS found
       FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
      WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
      ORDER BY 1`,
  );
  const named: string[] = [];
  for (const { name, found } of columns) {
    const [row] = await stage.sql<{ count: number }>(found, [texts.map((text) => `%${text}%`)]);
    if (row && row.count > 0) named.push(name);
  }
  return named;
}

/** Runs `work` while another connection holds what `statement` locks. */
export async function whileLocked<T>(
  stage: ApiStage,
  statement: string,
  work: (keeper: pg.Client) => Promise<T>,
): Promise<T> {
  const keeper = new pg.Client(stage.env.DATABASE_URL);
  await keeper.connect();
  try {
    await keeper.query(`BEGIN; ${statement}`);
    return await work(keeper);
  } finally {
    await keeper.end();
  }
}

/** What a debt holds after a life with trouble: each text of it names somebody. */
export async function withTraces(stage: ApiStage, seq: string, who: string): Promise<void> {
  await stage.sql('UPDATE billing_debts SET failure = $2, sent_at = now() WHERE seq = $1', [
    seq,
    `551 ${who} not here`,
  ]);
  await stage.sql(
    `INSERT INTO billing_deliveries (seq, number, company_no, attempt, began_at, outcome, outcome_at, response, resolved_by, note)
     SELECT seq, 1, company_no, 1, now() - interval '2 hours', 'enviada', now(), $2, 'u1', $3 FROM billing_debts WHERE seq = $1`,
    [seq, `250 queued for ${who}`, `${who} has it`],
  );
  await stage.sql(`INSERT INTO billing_attempts VALUES ($1, 1, 1, now() - interval '2 hours', now(), 'enviada', $2)`, [
    seq,
    `250 queued for ${who}`,
  ]);
  await stage.sql(
    `INSERT INTO billing_payments (company_no, event_id, seq, content, cents, paid_at, method, paid_by)
     SELECT company_no, 'e' || seq, seq, 'x', 1, now(), 'pix', $2 FROM billing_debts WHERE seq = $1`,
    [seq, who],
  );
}
