import type { Session } from '../simulation/session.js';
import type { Attempt } from './outside.js';
import type { Simulation } from './simulation.js';

const LEASE = '5 min';

/** What a mail server says, or does not say; and whether the debtor gets the mail. */
const SEEN = [
  { known: 'enviada', delivered: true },
  { known: 'enviada', delivered: true },
  { known: 'enviada', delivered: true },
  { known: 'recusada', delivered: false },
  { known: 'depois', delivered: false },
  { known: 'desconhecida', delivered: true },
  { known: 'desconhecida', delivered: false },
] as const;

/** Merges, issues and mails as a pass of WorkBilling does, with the statements of the ledger. */
export class Workers {
  constructor(private readonly run: Simulation) {}

  merge = async (session: Session): Promise<void> => {
    const { scheduler, owed } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'merges', () => owed().merge > 0);
      const waiting = await session.query<{ import_no: number }>(
        'SELECT DISTINCT import_no FROM billing_import_chunks WHERE merged_at IS NULL ORDER BY 1',
      );
      for (const { import_no } of waiting) {
        const merged = () => session.one<{ more: boolean }>('SELECT billing_merge_chunk($1) AS more', [import_no]);
        while ((await merged())?.more);
      }
    }
  };

  issue = async (session: Session): Promise<void> => {
    const { scheduler, outside, owed } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'issues', () => owed().issue > 0);
      const claimed = await session.query<{ seq: string; epoch: number }>(
        'SELECT seq, epoch FROM billing_claim_issue($1, NULL, $2, $3) ORDER BY seq',
        [this.run.someCompany(), scheduler.pick([1, 2, 4]), LEASE],
      );
      if (claimed.length === 0) continue;
      const registered = new Map<string, string>();
      const refused: typeof claimed = [];
      for (const debt of claimed) {
        const chance = await scheduler.gate(session.actor, `the bank is asked for ${debt.seq}`);
        if (chance < 0.1 && this.run.chaos) refused.push(debt);
        // Later ones are answered, and this one is asked for again when the lease is over.
        else if (chance < 0.8 || !this.run.chaos)
          registered.set(debt.seq, outside.register(debt.seq, debt.seq.padStart(44, '0')));
      }
      await scheduler.gate(session.actor, 'the bank answers');
      if (registered.size > 0)
        await session.query('SELECT billing_record_issued($1, $2, $2, 0)', [
          [...registered.keys()],
          [...registered.values()],
        ]);
      for (const { seq, epoch } of refused)
        await session.query(
          `UPDATE billing_debts SET failed_at = clock_timestamp(), failure = 'refused', lease_until = NULL
            WHERE seq = $1 AND epoch = $2 AND issued_at IS NULL AND failed_at IS NULL`,
          [seq, epoch],
        );
    }
  };

  writeOff = async (session: Session): Promise<void> => {
    const { scheduler, outside, owed } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'writes off', () => owed().writeOff > 0);
      const rows = await session.query<{ seq: string }>(
        `SELECT seq FROM billing_debts
          WHERE company_no = $1 AND cancelled_at IS NOT NULL AND asked_at IS NOT NULL AND written_off_at IS NULL ORDER BY seq`,
        [this.run.someCompany()],
      );
      for (const { seq } of rows) {
        await scheduler.gate(session.actor, `the bank writes off ${seq}`);
        if (outside.writeOff(seq) === 'written_off')
          await session.query('UPDATE billing_debts SET written_off_at = clock_timestamp() WHERE seq = $1', [seq]);
      }
    }
  };

  mail = async (session: Session): Promise<void> => {
    const { scheduler, outside, owed } = this.run;
    for (;;) {
      await scheduler.gate(session.actor, 'mails', () => owed().mail > 0);
      const claimed = await session.query<Attempt>('SELECT * FROM billing_claim_send($1, $2, $3)', [
        this.run.someCompany(),
        scheduler.pick([1, 2, 3]),
        LEASE,
      ]);
      if (claimed.length === 0) continue;
      const begun = await session.query<Attempt>('SELECT * FROM billing_begin_send($1, $2, $3) ORDER BY 1', [
        claimed.map(({ seq }) => seq),
        claimed.map(({ number }) => number),
        claimed.map(({ attempt }) => attempt),
      ]);
      // Each of them is begun for the world, too, before the first of them can break.
      for (const each of begun) outside.begins(each);
      for (const each of begun) await this.#send(session, each);
    }
  };

  async #send(session: Session, attempt: Attempt): Promise<void> {
    const { scheduler, outside } = this.run;
    const chance = await scheduler.gate(session.actor, `hands over ${attempt.seq}.${attempt.number}`);
    const seen = SEEN[this.run.chaos ? Math.floor(chance * SEEN.length) : 0] ?? SEEN[0];
    // guard, B12: too late for the mail server by the worker's own clock
    if (outside.isOld(attempt)) return this.#record(session, attempt, 'depois');
    const isLate = seen.known === 'desconhecida' && seen.delivered;
    if (seen.delivered && !isLate) outside.delivers(attempt);
    await scheduler.gate(session.actor, 'the mail server answers');
    const { resends } = this.run;
    await this.#record(session, attempt, seen.known === 'desconhecida' && resends ? 'depois' : seen.known, seen.known);
    if (!isLate) return;
    // It was on its way, and arrives within ten minutes.
    await scheduler.gate(session.actor, 'a lost mail arrives');
    if (!outside.isOld(attempt)) outside.delivers(attempt);
  }

  async #record(
    session: Session,
    attempt: Attempt,
    what: (typeof SEEN)[number]['known'],
    known: (typeof SEEN)[number]['known'] = what,
  ): Promise<void> {
    this.run.outside.knows(attempt, known);
    const { seq, number, attempt: no } = attempt;
    const againAt = this.run.scheduler.pick([null, '2100-01-01']);
    await session.query('SELECT billing_record_sent($1, $2, $3, $4, $4, $5)', [seq, number, no, what, againAt]);
    this.run.outside.records(attempt);
  }
}
