import type { Session } from '../simulation/session.js';
import type { Simulation } from './simulation.js';

const LEASE = '5 min';

/** Merges, issues and writes off as a pass of WorkBilling does, with the statements of the ledger. */
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
      const company = this.run.someCompany();
      const claimed = await session.transaction(async (sql) => {
        const living = await sql.one(
          `SELECT FROM companies c JOIN billing_companies b ON b.company_id = c.id
            WHERE b.company_no = $1 AND NOT b.deleted AND NOT c.deleted FOR SHARE OF c`,
          [company],
        );
        if (!living) return [];
        return sql.query<{ seq: string; epoch: number }>(
          'SELECT seq, epoch FROM billing_claim_issue($1, NULL, $2, $3) ORDER BY seq',
          [company, scheduler.pick([1, 2, 4]), LEASE],
        );
      });
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
}
