import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { someBiller, someDebt, store, type TestBiller, withoutIssuing } from './fixtures.js';

type Report = Record<string, unknown>;

/** A debt as this test reads it back, each column as a text or as it is. */
interface Row {
  import_no: number;
  cents: string;
  due: string;
  made: string;
  issued_at: Date | null;
  sent_at: Date | null;
  failed_at: Date | null;
  cancelled_at: Date | null;
  paid_at: Date | null;
  paid_cents: string;
  held: boolean;
}

const DEBTS = 240;
const NOTHING = {
  imported: 0,
  generated: 0,
  sent: 0,
  failed: 0,
  held: 0,
  paid: 0,
  cancelled: 0,
  overdue: 0,
  amounts_cents: { imported: 0, sent: 0, paid: 0, cancelled: 0, overdue: 0 },
  by_status: { importada: 0, gerada: 0, enviada: 0, falhou: 0, cancelada: 0, paga: 0 },
  unmatched: { payments: 0, cents: 0 },
};

let stage: ApiStage;
let owner: TestUser;
beforeAll(async () => {
  stage = await ApiStage.open();
  owner = await stage.user();
});
afterAll(() => stage?.close());

function ask<T = Report>({ owner: { token }, company }: TestBiller, query = '', path = 'report') {
  return stage.api<T>('GET', `/api/billing/${path}?company_id=${company.id}${query}`, { token });
}

async function reportOf(biller: TestBiller, query = ''): Promise<Report> {
  const { status, body } = await ask(biller, query);
  if (status !== 200) throw new Error(`${query}: ${status} ${JSON.stringify(body)}`);
  return body;
}

const saoPaulo = new Intl.DateTimeFormat('sv', { timeZone: 'America/Sao_Paulo', dateStyle: 'short' });
const TODAY = saoPaulo.format(Date.now());

/** Gives each debt of the company a random state, also such as no worker makes, and a random day. */
async function scatter({ companyNo }: TestBiller): Promise<void> {
  const at = (odds: number) => `CASE WHEN random() < ${odds} THEN now() END`;
  await stage.sql(
    `UPDATE billing_debts SET cents = 1 + floor(random() * 9999999999), due_on = current_date + (floor(random() * 5) - 2)::int,
       created_at = '2026-03-10T03:00:00Z'::timestamptz + interval '1 second' * (floor(random() * 5 - 2) * 43200 + floor(random() * 3 - 1)),
       issued_at = ${at(0.7)}, sent_at = ${at(0.4)}, failed_at = ${at(0.2)}, cancelled_at = ${at(0.2)}, paid_at = ${at(0.3)},
       paid_cents = CASE WHEN random() < 0.5 THEN floor(random() * 9999999999) ELSE 0 END
     WHERE company_no = $1`,
    [companyNo],
  );
  await stage.sql(
    `INSERT INTO billing_deliveries (seq, number, company_no, began_at, held_at, outcome)
     SELECT seq, n, $1, now(), CASE WHEN random() < 0.6 THEN now() END, CASE WHEN n = 1 OR random() < 0.3 THEN 'enviada' END
       FROM billing_debts, generate_series(1, 2) n WHERE company_no = $1 AND seq % 3 = 0`,
    [companyNo],
  );
  await stage.sql(
    `INSERT INTO billing_payments (company_no, event_id, seq, content, cents, paid_at, received_at)
     SELECT $1, 'e' || n, CASE WHEN n % 2 = 0 THEN (SELECT min(seq) FROM billing_debts WHERE company_no = $1) END, '', 1000 + n,
            now(), '2026-03-10T03:00:00Z'::timestamptz + interval '1 hour' * (n - 10)
       FROM generate_series(1, 21) n`,
    [companyNo],
  );
}

/** The report by another way: in this process, from the rows. */
function recount(rows: Row[], unmatched: { cents: string }[] | null): Report {
  const sum = (texts: string[]) => Number(texts.reduce((total, text) => total + BigInt(text), 0n));
  const all = (pick: (row: Row) => unknown) => rows.filter((row) => Boolean(pick(row)));
  const centsOf = (some: Row[]) => sum(some.map(({ cents }) => cents));
  const statusOf = (row: Row): string => {
    if (row.paid_at) return 'paga';
    if (row.cancelled_at) return 'cancelada';
    if (row.sent_at) return 'enviada';
    if (row.failed_at) return 'falhou';
    return row.issued_at ? 'gerada' : 'importada';
  };
  const overdue = all((row) => row.due < TODAY && !row.paid_at && !row.cancelled_at);
  const byStatus: Record<string, number> = { ...NOTHING.by_status };
  for (const row of rows) byStatus[statusOf(row)] = (byStatus[statusOf(row)] ?? 0) + 1;
  return {
    imported: rows.length,
    generated: all((row) => row.issued_at).length,
    sent: all((row) => row.sent_at).length,
    failed: all((row) => row.failed_at).length,
    held: all((row) => row.held).length,
    paid: all((row) => row.paid_at).length,
    cancelled: all((row) => row.cancelled_at).length,
    overdue: overdue.length,
    amounts_cents: {
      imported: centsOf(rows),
      sent: centsOf(all((row) => row.sent_at)),
      paid: sum(rows.map(({ paid_cents }) => paid_cents)),
      cancelled: centsOf(all((row) => row.cancelled_at)),
      overdue: centsOf(overdue),
    },
    by_status: byStatus,
    unmatched: unmatched && { payments: unmatched.length, cents: sum(unmatched.map(({ cents }) => cents)) },
  };
}

describe('the report', () => {
  let biller: TestBiller;
  let rows: Row[];
  let unmatched: { cents: string; received: string }[];
  let imports: { id: string; import_no: number }[];

  beforeAll(async () => {
    const others = await someBiller(stage, owner);
    biller = await someBiller(stage, owner);
    for (const each of [others, biller]) await withoutIssuing(stage, each);
    await store(stage, others, [someDebt(), someDebt()]);
    for (let part = 0; part < 2; part++)
      await store(
        stage,
        biller,
        Array.from({ length: DEBTS / 2 }, () => someDebt()),
      );
    await scatter(biller);
    await stage.sql(`UPDATE billing_debts SET issued_at = now() WHERE company_no = $1`, [others.companyNo]);
    await stage.sql(
      `INSERT INTO billing_payments (company_no, event_id, content, cents, paid_at) VALUES ($1, 'x', '', 7, now())`,
      [others.companyNo],
    );
    rows = await stage.sql<Row>(
      `SELECT import_no, cents, to_char(due_on, 'YYYY-MM-DD') AS due, created_at::text AS made, issued_at, sent_at, failed_at,
         cancelled_at, paid_at, paid_cents,
         seq IN (SELECT seq FROM billing_deliveries WHERE status = 'desconhecida') AS held
         FROM billing_debts WHERE company_no = $1`,
      [biller.companyNo],
    );
    unmatched = await stage.sql(
      'SELECT cents, received_at::text AS received FROM billing_payments WHERE company_no = $1 AND seq IS NULL',
      [biller.companyNo],
    );
    imports = await stage.sql('SELECT id, import_no FROM billing_imports WHERE company_no = $1 ORDER BY import_no', [
      biller.companyNo,
    ]);
  });

  test('counts what a count of the rows counts', async () => {
    const report = await reportOf(biller);
    expect(report).toEqual(recount(rows, unmatched));
    const counts = Object.values(report.by_status as Record<string, number>);
    expect([counts.reduce((total, count) => total + count, 0), counts.filter((count) => count === 0)]).toEqual([
      DEBTS,
      [],
    ]);
  });

  test.each([
    ['2026-03-10', '2026-03-10'],
    ['2026-03-09', '2026-03-09'],
    ['2026-03-10', undefined],
    [undefined, '2026-03-09'],
  ])('from %s to %s counts whole days of São Paulo', async (from, to) => {
    const isWithin = (time: string) => {
      const day = saoPaulo.format(new Date(time));
      return (from ?? '') <= day && day <= (to ?? '9');
    };
    const query = (from ? `&from=${from}` : '') + (to ? `&to=${to}` : '');
    const counted = rows.filter(({ made }) => isWithin(made));
    expect(await reportOf(biller, query)).toEqual(
      recount(
        counted,
        unmatched.filter(({ received }) => isWithin(received)),
      ),
    );
    // the days that there are do split the rows
    expect([counted.length > 0, counted.length < DEBTS]).toEqual([true, true]);
  });

  test('of an import counts its debts alone, and no payments that fit none', async () => {
    const of = (no: number | undefined) => rows.filter(({ import_no }) => import_no === no);
    for (const { id, import_no } of imports)
      expect(await reportOf(biller, `&import_id=${id}`)).toEqual(recount(of(import_no), null));
    const both = await reportOf(biller, `&import_id=${imports[0]?.id}&from=2026-03-10`);
    const late = of(imports[0]?.import_no).filter(({ made }) => saoPaulo.format(new Date(made)) >= '2026-03-10');
    expect(both).toEqual(recount(late, null));
  });

  test('as CSV has the same numbers in one line', async () => {
    const { body, headers } = await ask<string>(biller, '', 'report.csv');
    const { amounts_cents, by_status, unmatched: lost, ...counts } = await reportOf(biller);
    const named = (name: string, object: unknown) =>
      Object.entries(object as object).map(([member, value]) => [`${name}.${member}`, value]);
    const columns = [
      ...Object.entries(counts),
      ...named('amounts_cents', amounts_cents),
      ...named('by_status', by_status),
      ...named('unmatched', lost),
    ];
    const line = (at: number) => `${columns.map((column) => column[at]).join(',')}\r\n`;
    expect([headers.get('content-type'), body]).toEqual(['text/csv; charset=utf-8', line(0) + line(1)]);
    const ofImport = await ask<string>(biller, `&import_id=${imports[0]?.id}`, 'report.csv');
    expect([ofImport.body.split('\r\n')[0], ofImport.body.endsWith(',,\r\n')]).toEqual([body.split('\r\n')[0], true]);
  });

  test('of an unknown import, or of another company, is refused', async () => {
    const other = await someBiller(stage, owner);
    for (const path of ['report', 'report.csv']) {
      const { status, body } = await ask(other, `&import_id=${imports[0]?.id}`, path);
      expect([status, body.code]).toEqual([404, 'BILLING.IMPORT_NOT_FOUND']);
    }
  });

  test.each([
    ['from=2026-02-30', 'from'],
    ['to=0000-01-01', 'to'],
    ['to=2026-1-1', 'to'],
    ['from=2026-03-11&to=2026-03-10', 'to'],
    ['status=paga', 'status'],
    ['import_id=', 'import_id'],
  ])('is refused with %s', async (query, wrong) => {
    for (const path of ['report', 'report.csv']) {
      const { status, body } = await ask<{ code: string; errors: { path: string }[] }>(biller, `&${query}`, path);
      expect([status, body.code, body.errors.map((each) => each.path)]).toEqual([400, 'VALIDATION', [wrong]]);
    }
  });

  test('of a company that never billed is all zero', async () => {
    expect(await reportOf({ owner, company: await stage.company(owner), companyNo: 0 })).toEqual(NOTHING);
  });
});
