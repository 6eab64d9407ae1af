import type pg from 'pg';

/** An import, and what the rows of its chunks add up to. */
export interface ImportNow {
  import_no: number;
  /** Which file it was, as the simulation counts them. */
  file: string;
  lines: number;
  blank: number;
  accepted: number;
  rejected: number;
  waiting: number;
  created: number;
  repeated: number;
  conflicting: number;
  conflicts: number[];
  /** Its company is deleted. */
  gone: boolean;
}

export interface DebtNow {
  seq: number;
  company_no: number;
  debt_id: string;
  import_no: number;
  line: number;
  cents: number;
  status: string;
  gone: boolean;
  erased: boolean;
  cancelled: boolean;
  written_off: boolean;
  /** Until somebody's lease is over. */
  leased: boolean;
  paid_cents: number;
  /** The sum of its payments. */
  money: number;
  barcode: string | null;
  /** What may never change once it is there. */
  fixed: Record<string, unknown>;
}

/** A mail that is owed, or was. */
export interface DeliveryNow {
  seq: number;
  number: number;
  attempt: number;
  status: string;
  outcome: string | null;
  outcome_at: string | null;
  began: boolean;
  /** Until a lease or a pause is over. */
  waits: boolean;
  gone: boolean;
  /** No row of billing_debts has its seq. */
  stray: boolean;
}

interface AttemptNow {
  seq: number;
  number: number;
  attempt: number;
  /** It began after the debt was cancelled, paid in full or erased, or its company deleted. */
  late: boolean;
}

interface PaymentNow {
  company_no: number;
  event_id: string;
  content: string;
  seq: number | null;
}

/** What is committed. */
export interface Tables {
  imports: ImportNow[];
  debts: DebtNow[];
  deliveries: DeliveryNow[];
  attempts: AttemptNow[];
  payments: PaymentNow[];
}

const GONE = (row: string) =>
  `(SELECT deleted FROM billing_companies b WHERE b.company_no = ${row}.company_no) AS gone`;

const IMPORTS = `SELECT i.import_no, user_id AS file, lines, blank, accepted, rejected,
    coalesce(sum(rows) FILTER (WHERE merged_at IS NULL), 0) AS waiting, coalesce(sum(created), 0) AS created,
    coalesce(sum(repeated), 0) AS repeated, coalesce(sum(conflicting), 0) AS conflicting,
    ARRAY(SELECT line FROM billing_rejects r WHERE r.import_no = i.import_no ORDER BY line) AS conflicts,
    ${GONE('i')}
  FROM billing_imports i LEFT JOIN billing_import_chunks USING (import_no) GROUP BY i.import_no ORDER BY 1`;

const DEBTS = `SELECT d.seq, company_no, debt_id, import_no, line, cents, status,
    ${GONE('d')}, erased_at IS NOT NULL AS erased, cancelled_at IS NOT NULL AS cancelled, written_off_at IS NOT NULL AS written_off,
    coalesce(lease_until > now(), false) AS leased, paid_cents,
    (SELECT coalesce(sum(p.cents), 0) FROM billing_payments p WHERE p.seq = d.seq) AS money, v.barcode,
    jsonb_build_object('key', (company_no, debt_id, d.seq, import_no, line), 'cents', cents, 'asked', asked_at,
      'issued', issued_at, 'sent', sent_at, 'cancelled', cancelled_at, 'off', written_off_at, 'paid', paid_at, 'boleto', to_jsonb(v),
      'erased', erased_at, CASE WHEN erased_at IS NULL THEN 'name' ELSE 'no name' END, name) AS fixed
  FROM billing_debts d LEFT JOIN billing_invoices v USING (seq) ORDER BY d.seq`;

const DELIVERIES = `SELECT seq, number, attempt, status, outcome, outcome_at, outcome IS NULL AND began_at IS NOT NULL AS began,
    outcome IS NULL AND began_at IS NULL AND greatest(claimed_until, next_at) > now() AS waits,
    ${GONE('v')},
    NOT EXISTS (SELECT FROM billing_debts d WHERE (d.seq, d.company_no) = (v.seq, v.company_no)) AS stray
  FROM billing_deliveries v ORDER BY seq, number`;

// All of these times are of one clock, and taken under the lock of the debt.
const ATTEMPTS = `SELECT seq, number, attempt, coalesce(a.began_at > least(d.cancelled_at, d.erased_at,
      (SELECT updated_at FROM companies c JOIN billing_companies b ON b.company_id = c.id WHERE b.company_no = d.company_no AND c.deleted), (
      SELECT min(received_at) FROM (SELECT received_at, sum(p.cents) OVER (ORDER BY received_at) AS money
         FROM billing_payments p WHERE p.seq = d.seq) AS received WHERE money >= d.cents)), false) AS late
  FROM billing_attempts a JOIN billing_debts d USING (seq) ORDER BY 1, 2, 3`;

const PAYMENTS = `SELECT company_no, event_id, convert_from(content, 'UTF8') AS content, seq
  FROM billing_payments ORDER BY 1, 2`;

const all = (rows: string) => `(SELECT coalesce(json_agg(t), '[]') FROM (${rows}) t)`;

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'billing',
    text: `SELECT ${all(IMPORTS)} AS imports, ${all(DEBTS)} AS debts, ${all(DELIVERIES)} AS deliveries,
      ${all(ATTEMPTS)} AS attempts, ${all(PAYMENTS)} AS payments`,
  });
  const [tables] = rows;
  if (!tables) throw new Error('no row');
  return tables;
}

/** Where a status may go in one commit. From paga there is no way. */
const ARROWS: Record<string, string[]> = {
  importada: ['gerada', 'falhou', 'cancelada', 'paga'],
  gerada: ['enviada', 'falhou', 'cancelada', 'paga'],
  enviada: ['cancelada', 'paga'],
  // By a resend, or as the bank has the title after all.
  falhou: ['gerada', 'cancelada', 'paga'],
  cancelada: ['paga'],
};

/** What holds at every commit. Remembers what it saw, for what may never change. */
export class Invariants {
  #debts = new Map<number, DebtNow>();
  #deliveries = new Map<string, DeliveryNow>();
  #payments = new Map<string, PaymentNow>();

  check(tables: Tables): void {
    for (const each of tables.imports) fail(wrongInImport(each), each);
    const created = tables.imports.reduce((sum, each) => sum + each.created, 0);
    if (created !== tables.debts.length) throw new Error(`${created} created, and ${tables.debts.length} debts`);
    for (const debt of tables.debts) fail(this.#wrongInDebt(debt, tables), debt);
    for (const each of tables.deliveries) fail(this.#wrongInDelivery(each), each);
    for (const each of tables.attempts) if (each.late) throw new Error(`a mail begun after the end: ${text(each)}`);
    this.#checkPayments(tables.payments);
    this.#debts = new Map(tables.debts.map((each) => [each.seq, each]));
    this.#deliveries = new Map(tables.deliveries.map((each) => [mailOf(each), each]));
  }

  #wrongInDebt(debt: DebtNow, { deliveries }: Tables): string | undefined {
    const { seq, status, paid_cents, money, cents, barcode } = debt;
    if (paid_cents !== money) return `its payments are ${money}`;
    if ((status === 'paga') !== paid_cents >= cents) return 'paid, and not paga, or the other way round';
    const own = deliveries.filter((each) => each.seq === seq);
    const numbers = own.map(({ number }) => number);
    if (numbers.some((number, i) => number !== i + 1)) return `its deliveries are ${numbers}`;
    if ((barcode !== null) !== numbers.length > 0 || (barcode !== null) !== (debt.fixed.issued !== null))
      return 'its issue, its boleto and its mail do not come together';
    const open = own.filter(({ outcome }) => outcome === null);
    if (open.length > 1) return 'two open deliveries';
    const isClosed = status === 'paga' || status === 'cancelada';
    if (isClosed && open[0]?.status === 'pendente') return 'closed, and a mail is still to begin';
    if (status === 'falhou' && open.length > 0) return 'failed, and a mail is owed';
    return this.#wrongSince(debt, this.#debts.get(seq));
  }

  #wrongSince({ status, fixed, paid_cents }: DebtNow, before: DebtNow | undefined): string | undefined {
    if (!before) return undefined;
    if (before.status !== status && !ARROWS[before.status]?.includes(status)) return `it was ${before.status}`;
    if (paid_cents < before.paid_cents) return `it had ${before.paid_cents}`;
    const changed = Object.entries(before.fixed).filter(
      ([key, was]) => was !== null && text(fixed[key]) !== text(was) && !(key === 'name' && fixed.erased !== null),
    );
    return changed.length > 0 ? `changed: it was ${text(changed)}` : undefined;
  }

  #wrongInDelivery(delivery: DeliveryNow): string | undefined {
    if (delivery.stray) return 'of no debt';
    if ((delivery.outcome === null) !== (delivery.outcome_at === null))
      return 'an outcome and its time belong together';
    const before = this.#deliveries.get(mailOf(delivery));
    if (before && before.outcome !== null && before.outcome !== delivery.outcome)
      return `its outcome was ${before.outcome}`;
    return undefined;
  }

  #checkPayments(payments: readonly PaymentNow[]): void {
    const now = new Map(payments.map((each) => [`${each.company_no} ${each.event_id}`, each]));
    for (const [key, before] of this.#payments)
      if (text(now.get(key)) !== text(before))
        throw new Error(`a payment has changed: ${text(before)} ${text(now.get(key))}`);
    this.#payments = now;
  }
}

/** The delivery's own name, over all its attempts. */
export function mailOf({ seq, number }: { seq: number | string; number: number }): string {
  return `${seq}.${number}`;
}

function wrongInImport(each: ImportNow): string | undefined {
  const { lines, blank, accepted, rejected, waiting, created, repeated, conflicting, conflicts } = each;
  if (lines !== accepted + rejected + blank) return 'its lines do not add up';
  if (accepted !== waiting + created + repeated + conflicting) return 'what it accepted does not add up';
  return conflicts.length === conflicting ? undefined : 'a conflict that is not reported, or one too many';
}

function fail(wrong: string | undefined, row: unknown): void {
  if (wrong) throw new Error(`${wrong}: ${text(row)}`);
}

function text(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
