import type { Session } from '../simulation/session.js';
import { type File, storeFile } from './files.js';
import type { DeliveryNow } from './invariants.js';
import type { Simulation } from './simulation.js';

/** Events of a company, by which one debt is paid several times. */
const EVENTS = 10;
/** Between two of them the workers have time to go on. */
const STEPS_A_PAYMENT = 20;
const STEPS_A_PERSON = 6;
const STEPS_A_TIME = 5;

/** Who uploads, pays, cancels, resolves and sends again; and time, which passes for all of them. */
export class People {
  /** What payers were told, to be compared with what is kept. */
  readonly told: { company: number; event: string; content: string; result: string }[] = [];

  #steered = 0;
  #passed = 0;

  constructor(private readonly run: Simulation) {}

  /** One file after the other; one whose upload broke before its commit comes again. */
  upload = async (session: Session): Promise<void> => {
    const { scheduler, owed, files } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'uploads', () => owed().upload > 0);
      const index = this.run.tables.imports.length;
      await session.transaction((sql) => storeFile(sql, files[index] as File, String(index)));
    }
  };

  /** Not much happens to a debt before there is one. */
  #isDue(done: number, stepsEach: number): boolean {
    return this.run.tables.debts.length > 0 ? done * stepsEach < this.run.scheduler.trace.length : done === 0;
  }

  /** The same event comes again, with other content, for a debt that there is not yet, or after a cancel. */
  pay = async (session: Session): Promise<void> => {
    const { scheduler, debtIds } = this.run;
    for (;;) {
      await scheduler.gate(
        session.actor,
        'pays',
        () => this.run.chaos && this.#isDue(this.told.length, STEPS_A_PAYMENT),
      );
      const company = this.run.someCompany();
      const event = scheduler.pick(Array.from({ length: EVENTS }, (_, i) => i));
      const debt = debtIds[event % debtIds.length];
      const cents = scheduler.pick([10, 10, 40, 100, 250]);
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
      const chance = await scheduler.gate(
        session.actor,
        'a person',
        () => this.run.chaos && this.#isDue(this.#steered, STEPS_A_PERSON),
      );
      this.#steered++;
      if (chance < 0.06)
        await session.query('SELECT billing_cancel($1, $2)', [
          this.run.someCompany(),
          scheduler.pick(this.run.debtIds),
        ]);
      else if (chance < 0.12) await this.#erase(session);
      else if (chance < 0.55) await this.#resolve(session);
      else if (chance > 0.9 && this.run.deletes) await this.#delete(session);
      else await this.#sendAgain(session);
    }
  };

  /** As retention does: who owes, where it is over and nobody is sending. */
  async #erase(session: Session): Promise<void> {
    await session.transaction(async (sql) => {
      const over = await sql.query<{ seq: string }>(
        `SELECT d.seq FROM billing_debts d JOIN billing_companies b USING (company_no)
          WHERE erased_at IS NULL AND (paid_at IS NOT NULL OR cancelled_at IS NOT NULL OR b.deleted)
          ORDER BY d.seq FOR UPDATE OF d SKIP LOCKED`,
      );
      const seqs = over.map(({ seq }) => seq);
      const busy = await sql.query<{ seq: string }>(
        `SELECT seq FROM billing_attempts
          WHERE seq = ANY ($1) AND ended_at IS NULL AND began_at > clock_timestamp() - interval '1 hour'`,
        [seqs],
      );
      const free = seqs.filter((seq) => !busy.some((each) => each.seq === seq));
      await sql.query(
        `UPDATE billing_debts SET name = '', government_id = '', email = '', failure = NULL, erased_at = clock_timestamp()
          WHERE seq = ANY ($1)`,
        [free],
      );
      for (const table of ['billing_deliveries', 'billing_attempts'])
        await sql.query(`UPDATE ${table} SET response = NULL WHERE seq = ANY ($1)`, [free]);
    });
  }

  /** As CompanyDeletion does, once: its row first. */
  async #delete(session: Session): Promise<void> {
    await session.transaction(async (sql) => {
      const one = await sql.one<{ id: string }>(`SELECT id FROM companies WHERE id = 'b' AND NOT deleted FOR UPDATE`);
      if (!one) return;
      await sql.query('UPDATE companies SET deleted = true, updated_at = clock_timestamp() WHERE id = $1', [one.id]);
      await sql.query('UPDATE billing_companies SET deleted = true WHERE company_id = $1', [one.id]);
    });
  }

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

  /** Leases and waits end, and mails that have begun grow old. */
  pass = async (session: Session): Promise<void> => {
    const { scheduler, outside, isGoing } = this.run;
    const ago = `clock_timestamp() - interval '11 min'`;
    const leased = () => this.run.tables.debts.filter((each) => each.leased);
    const waiting = () => this.run.tables.deliveries.filter((each) => each.waits);
    const begun = () => this.run.tables.deliveries.filter((each) => each.began && !outside.isOld(each));
    const isOwed = () => isGoing() && leased().length + waiting().length + begun().length > 0;
    for (;;) {
      await scheduler.gate(session.actor, 'time passes', () => isOwed() && this.#isDue(this.#passed, STEPS_A_TIME));
      this.#passed++;
      const [debt, mail, old] = [leased(), waiting(), begun()].map((each) => each.length > 0);
      const what = scheduler.pick([
        ...(debt ? ['a lease'] : []),
        ...(mail ? ['a wait'] : []),
        ...(old ? ['ten minutes'] : []),
      ]);
      if (what === 'a lease')
        await session.query(`UPDATE billing_debts SET lease_until = ${ago} WHERE lease_until IS NOT NULL`);
      else if (what === 'a wait')
        await session.query(
          `UPDATE billing_deliveries SET claimed_until = ${ago}, next_at = NULL WHERE outcome IS NULL AND began_at IS NULL`,
        );
      else await this.#age(session, scheduler.pick(begun()));
    }
  };

  async #age(session: Session, mail: DeliveryNow): Promise<void> {
    // Its worker knows it first: its clock has 30 seconds where the ledger's has ten minutes.
    this.run.outside.ages(mail);
    await session.query(
      `UPDATE billing_deliveries SET began_at = clock_timestamp() - interval '11 min'
        WHERE (seq, number, attempt) = ($1, $2, $3) AND began_at IS NOT NULL`,
      [mail.seq, mail.number, mail.attempt],
    );
  }
}
