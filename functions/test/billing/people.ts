import type { Session } from '../simulation/session.js';
import type { File } from './end.js';
import type { Simulation } from './simulation.js';

const EVENTS = 10;

/** Who uploads, pays, cancels, resolves and sends again; and time, which passes for all of them. */
export class People {
  /** What payers were told, to be compared with what is kept. */
  readonly told: { company: number; event: string; content: string; result: string }[] = [];

  constructor(private readonly run: Simulation) {}

  /** One file after the other; one whose upload broke before its commit comes again. */
  upload = async (session: Session): Promise<void> => {
    const { scheduler, owed } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'uploads', () => owed().upload > 0);
      await this.#accept(session, this.run.tables.imports.length);
    }
  };

  /** Its chunks first, and the import's own row last, as an accepted file is stored. */
  async #accept(session: Session, index: number): Promise<void> {
    const { company, chunks } = this.run.files[index] as File;
    await session.transaction(async (sql) => {
      const drawn = await sql.one<{ no: string }>(
        `SELECT nextval(pg_get_serial_sequence('billing_imports', 'import_no')) AS no`,
      );
      for (const lines of chunks)
        await sql.query(
          `INSERT INTO billing_import_chunks (import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids)
           SELECT $1::int, min(line), count(*), array_agg(line), array_agg('Fulana'::text), array_agg('0123'::text), array_agg('a@x.com'::text),
                  array_agg(cents), array_agg('2026-12-31'::date), array_agg(id)
             FROM unnest($2::int[], $3::uuid[], $4::bigint[]) AS s (line, id, cents)`,
          [
            drawn?.no,
            lines.map(({ line }) => line),
            lines.map(({ debtId }) => debtId),
            lines.map(({ cents }) => cents),
          ],
        );
      await sql.query(
        `INSERT INTO billing_imports (import_no, id, company_no, user_id, bytes, sha256, lines, blank, accepted, rejected)
         VALUES ($1::int, $1::int::text, $2, $4, 1, 'a', $3, 0, $3, 0)`,
        [drawn?.no, company, chunks.flat().length, String(index)],
      );
    });
  }

  /** The same event comes again, with other content, for a debt that there is not yet, or after a cancel. */
  pay = async (session: Session): Promise<void> => {
    const { scheduler, debtIds } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'pays', () => this.run.chaos);
      const company = this.run.someCompany();
      const event = scheduler.pick(Array.from({ length: EVENTS }, (_, i) => i));
      const debt = debtIds[event % debtIds.length];
      const cents = scheduler.pick([40, 40, 40, 100, 250]);
      const content = `${debt} ${cents}`;
      const paid = await session.one<{ result: string }>(
        `SELECT billing_pay($1, $2, $3, convert_to($4, 'UTF8'), $5, '2026-01-01Z', 'pix', NULL) AS result`,
        [company, `e${event}`, debt, content, cents],
      );
      this.told.push({ company, event: `e${event}`, content, result: paid?.result ?? '' });
    }
  };

  steer = async (session: Session): Promise<void> => {
    const { scheduler } = this.run;
    for (;;) {
      const chance = await scheduler.gate(session.actor, 'a person', () => this.run.chaos);
      if (chance < 0.25)
        await session.query('SELECT billing_cancel($1, $2)', [
          this.run.someCompany(),
          scheduler.pick(this.run.debtIds),
        ]);
      else if (chance < 0.7) await this.#resolve(session);
      else await this.#sendAgain(session);
    }
  };

  /** By what the debtor says. */
  async #resolve(session: Session): Promise<void> {
    const held = this.run.tables.deliveries.filter(({ status }) => status === 'desconhecida');
    if (held.length === 0) return;
    const mail = this.run.scheduler.pick(held);
    const { outside } = this.run;
    const [sent, wasOld] = [outside.wasDelivered(mail), outside.isOld(mail)];
    const resolved = await session.one<{ ok: boolean }>(`SELECT billing_resolve($1, $2, $3, 'u', 'asked') AS ok`, [
      mail.seq,
      mail.number,
      sent,
    ]);
    if (resolved?.ok && !sent) outside.denies(mail, wasOld);
  }

  async #sendAgain(session: Session): Promise<void> {
    const over = this.run.tables.deliveries.filter(({ outcome }) => outcome !== null);
    if (over.length === 0) return;
    const { seq } = this.run.scheduler.pick(over);
    const isOpen = (error: unknown) => (error as { constraint?: string }).constraint === 'billing_deliveries_open';
    await session
      .transaction(async (sql) => {
        const open = await sql.one(
          'SELECT FROM billing_debts WHERE seq = $1 AND paid_at IS NULL AND cancelled_at IS NULL FOR UPDATE',
          [seq],
        );
        if (!open) return;
        await sql.query(
          `INSERT INTO billing_deliveries (seq, number, company_no)
           SELECT seq, max(number) + 1, company_no FROM billing_deliveries WHERE seq = $1 GROUP BY 1, 3`,
          [seq],
        );
        await sql.query('UPDATE billing_debts SET failed_at = NULL, failure = NULL WHERE seq = $1', [seq]);
      })
      .catch((error) => {
        if (!isOpen(error)) throw error;
      });
  }

  sweep = async (session: Session): Promise<void> => {
    const { scheduler, owed } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'sweeps', () => owed().sweep > 0);
      await session.query('SELECT billing_sweep($1, $2)', [this.run.someCompany(), this.run.resends]);
    }
  };

  /** Leases and waits end, and mails that have begun grow old. In the end only where something is owed. */
  pass = async (session: Session): Promise<void> => {
    const { scheduler, isGoing } = this.run;
    for (;;) {
      const chance = await scheduler.gate(session.actor, 'time passes', isGoing);
      const ago = `clock_timestamp() - interval '11 min'`;
      const begun = this.run.tables.deliveries.filter(
        ({ status }) => status === 'tentando' || status === 'desconhecida',
      );
      if (chance < 0.3)
        await session.query(`UPDATE billing_debts SET lease_until = ${ago} WHERE lease_until IS NOT NULL`);
      else if (chance < 0.7 || begun.length === 0)
        await session.query(
          `UPDATE billing_deliveries SET claimed_until = ${ago}, next_at = NULL WHERE outcome IS NULL AND began_at IS NULL`,
        );
      else {
        const mail = scheduler.pick(begun);
        // Its worker knows it first: its clock has 30 seconds where the ledger's has ten minutes.
        this.run.outside.ages(mail);
        await session.query(
          `UPDATE billing_deliveries SET began_at = ${ago} WHERE (seq, number, attempt) = ($1, $2, $3) AND began_at IS NOT NULL`,
          [mail.seq, mail.number, mail.attempt],
        );
      }
    }
  };
}
