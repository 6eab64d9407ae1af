import type { Session } from '../simulation/session.js';
import { type Attempt, type Known, WAITS } from './outside.js';
import type { Simulation } from './simulation.js';

const LEASE = '5 min';

/** What a mail server says, or does not say, as MailResult names it; and whether the debtor gets the mail. */
const SEEN = [
  { known: 'sent', delivered: true },
  { known: 'sent', delivered: true },
  { known: 'sent', delivered: true },
  { known: 'refused', delivered: false },
  { known: 'later', delivered: false },
  { known: 'unsent', delivered: false },
  { known: 'unknown', delivered: true },
  { known: 'unknown', delivered: false },
] as const;
type Seen = (typeof SEEN)[number];
const OUTAGE = 0.1;
/** How many stand still between begin and the mail server. */
const FROZEN = 0.3;

/** Sends mails as a pass of WorkBilling does: claims, begins a window of them, hands over, records, gives back what is left. */
export class Mailer {
  constructor(private readonly run: Simulation) {}

  mail = async (session: Session): Promise<void> => {
    const { scheduler, owed } = this.run;
    for (;;) {
      const chance = await scheduler.gate(session.actor, 'connects to the mail server', () => owed().mail > 0);
      // Nothing is claimed while it is away.
      if (this.run.chaos && chance < OUTAGE) continue;
      const company = this.run.someCompany();
      const claimed = await session.query<Attempt>('SELECT * FROM billing_claim_send($1, $2, $3)', [
        company,
        scheduler.pick([1, 2, 3]),
        LEASE,
      ]);
      await scheduler.gate(session.actor, 'makes the mails');
      const left = await this.#windows(session, company, claimed);
      if (left.length > 0) await this.#giveBack(session, left);
    }
  };

  /** Returns what was not begun. */
  async #windows(session: Session, company: number, claimed: readonly Attempt[]): Promise<readonly Attempt[]> {
    const size = this.run.scheduler.pick([1, 2]);
    for (let from = 0; from < claimed.length; from += size) {
      const begun = await this.#begin(session, company, claimed.slice(from, from + size));
      if (!begun) return claimed.slice(from);
      // All of them are under way before the first answer comes.
      const handed: (Attempt & Seen)[] = [];
      for (const each of begun) handed.push({ ...each, ...(await this.#handOver(session, each)) });
      let isUp = true;
      for (const each of handed) {
        await this.#answer(session, each);
        isUp &&= each.known !== 'unsent';
      }
      if (!isUp) return claimed.slice(from + size);
    }
    return [];
  }

  /** Undefined: the company is deleted. */
  async #begin(session: Session, company: number, window: readonly Attempt[]): Promise<Attempt[] | undefined> {
    const begun = await session.transaction(async (sql) => {
      const living = await sql.one(
        `SELECT FROM companies c JOIN billing_companies b ON b.company_id = c.id
          WHERE b.company_no = $1 AND NOT b.deleted AND NOT c.deleted FOR SHARE OF c`,
        [company],
      );
      if (!living) return undefined;
      return sql.query<Attempt>('SELECT * FROM billing_begin_send($1, $2, $3) ORDER BY 1', [
        window.map(({ seq }) => seq),
        window.map(({ number }) => number),
        window.map(({ attempt }) => attempt),
      ]);
    });
    // Each of them is begun for the world, too, before the first of them can break.
    for (const each of begun ?? []) this.run.outside.begins(each);
    return begun;
  }

  async #handOver(session: Session, attempt: Attempt): Promise<Seen> {
    const { scheduler, outside } = this.run;
    if (this.run.chaos && scheduler.chance() < FROZEN) this.run.freeze(session.actor);
    const chance = await scheduler.gate(session.actor, `hands over ${attempt.seq}.${attempt.number}`);
    const seen = SEEN[this.run.chaos ? Math.floor(chance * SEEN.length) : 0] ?? SEEN[0];
    // guard, B12: too late for the mail server by the worker's own clock
    if (outside.isOld(attempt)) return { known: 'unsent', delivered: false };
    if (seen.known === 'sent') outside.delivers(attempt);
    return seen;
  }

  async #answer(session: Session, { delivered, ...attempt }: Attempt & Seen): Promise<void> {
    const { scheduler, outside } = this.run;
    await scheduler.gate(session.actor, 'the mail server answers');
    await this.#record(session, attempt, attempt.known);
    if (attempt.known !== 'unknown' || !delivered) return;
    // It was on its way, and arrives within ten minutes.
    await scheduler.gate(session.actor, 'a lost mail arrives');
    if (!outside.isOld(attempt)) outside.delivers(attempt);
  }

  async #record(session: Session, attempt: Attempt, known: Known): Promise<void> {
    const { outside, scheduler } = this.run;
    const { seq, number, attempt: no } = attempt;
    outside.knows(attempt, known);
    const answered = await session.one<{ count: number }>(
      'SELECT count(*)::int FROM billing_attempts WHERE (seq, number) = ($1, $2) AND response IS NOT NULL',
      [seq, number],
    );
    const isLast = (answered?.count ?? 0) >= WAITS;
    const againAt = known === 'unsent' ? null : scheduler.pick([null, '2100-01-01']);
    await session.query('SELECT billing_record_sent($1, $2, $3, $4, $5, $6)', [
      seq,
      number,
      no,
      this.#outcome(known, isLast),
      known === 'unsent' ? null : known,
      againAt,
    ]);
    outside.records(attempt);
  }

  #outcome(known: Known, isLast: boolean): string {
    if (known === 'sent') return 'enviada';
    if (known === 'refused') return 'recusada';
    if (known === 'unsent') return 'depois';
    if (known === 'later') return isLast ? 'recusada' : 'depois';
    return this.run.resends && !isLast ? 'depois' : 'desconhecida';
  }

  async #giveBack(session: Session, left: readonly Attempt[]): Promise<void> {
    await session.query(
      `UPDATE billing_deliveries v SET claimed_until = NULL FROM unnest($1::bigint[], $2::int[], $3::int[]) b(s, n, a)
        WHERE (v.seq, v.number, v.attempt) = (b.s, b.n, b.a) AND v.began_at IS NULL AND v.outcome IS NULL`,
      [left.map(({ seq }) => seq), left.map(({ number }) => number), left.map(({ attempt }) => attempt)],
    );
  }
}
