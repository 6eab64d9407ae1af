import { readFileSync } from 'node:fs';
import type { ApiStage } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import type { FaultySmtp, SmtpMail, SmtpStep } from '../../../testing/smtp-faults.js';
import { issue, someDebt, store, type TestBiller, type TestDebt } from './fixtures.js';

const FROM = 'cobranca@acme.example';
const AGO = `clock_timestamp() - interval '11 minutes'`;

/** A debt whose mail waits. No other debt has its recipient. */
export interface OwedMail extends TestDebt {
  seq: string;
}

/** Stores debts with a boleto each, whose mails wait; each has a recipient of its own, unless they are given. */
export async function owedMails(
  stage: ApiStage,
  biller: TestBiller,
  recipients: number | readonly string[],
): Promise<OwedMail[]> {
  const emails =
    typeof recipients === 'number'
      ? Array.from({ length: recipients }, (_, i) => `debtor-${i}@example.com`)
      : recipients;
  const debts = emails.map((email) => someDebt({ email }));
  const seqs = await store(stage, biller, debts);
  await issue(
    stage,
    seqs,
    seqs.map((seq) => `999991677000001000017000001${seq.padStart(17, '0')}`),
  );
  return debts.map((debt, i) => ({ ...debt, seq: seqs[i] as string }));
}

/** `npm run bill`, a real process: one pass that mails what is owed. */
export function bill(stage: ApiStage, smtp: Pick<FaultySmtp, 'url'>, env: Record<string, string> = {}): Process {
  return stage.script('command', ['bill'], { SMTP_URL: smtp.url, SMTP_FROM: FROM, LOG_LEVEL: 'error', ...env });
}

/** What the ledger says of the last mail of each debt, and of the debt. */
export async function standing(stage: ApiStage, mails: readonly OwedMail[]): Promise<Record<string, string>> {
  const rows = await stage.sql<{ email: string; mail: string; debt: string }>(
    `SELECT DISTINCT ON (seq) d.email, v.status AS mail, d.status AS debt
       FROM billing_debts d JOIN billing_deliveries v USING (seq) WHERE seq = ANY ($1) ORDER BY seq, number DESC`,
    [mails.map(({ seq }) => seq)],
  );
  return Object.fromEntries(rows.map(({ email, mail, debt }) => [email.split('@')[0], `${mail}, ${debt}`]));
}

/** How many of the mails have each status. */
export async function counts(stage: ApiStage, mails: readonly OwedMail[]): Promise<Record<string, number>> {
  const rows = await stage.sql<{ status: string; count: number }>(
    'SELECT status, count(*)::int AS count FROM billing_deliveries WHERE seq = ANY ($1) GROUP BY 1',
    [mails.map(({ seq }) => seq)],
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

/** The leases and the waits of these mails end. What has begun stays as it is. */
export async function leasesEnd(stage: ApiStage, mails: readonly OwedMail[]): Promise<void> {
  // Whoever works on one meanwhile is not waited for.
  await stage.sql(
    `UPDATE billing_deliveries SET claimed_until = CASE WHEN claimed_until IS NOT NULL THEN ${AGO} END, next_at = NULL
      WHERE (seq, number) IN (SELECT seq, number FROM billing_deliveries
                               WHERE seq = ANY ($1) AND outcome IS NULL AND began_at IS NULL FOR UPDATE SKIP LOCKED)`,
    [mails.map(({ seq }) => seq)],
  );
}

/** Ten minutes have passed since these mails began. */
export async function tenMinutesPass(stage: ApiStage, mails: readonly OwedMail[]): Promise<void> {
  await stage.sql(
    `UPDATE billing_deliveries SET began_at = ${AGO} WHERE seq = ANY ($1) AND outcome IS NULL AND began_at IS NOT NULL`,
    [mails.map(({ seq }) => seq)],
  );
}

/** How often each debtor got a mail. Throws where a Message-ID is of two debtors. */
export function received(smtp: FaultySmtp): Record<string, number> {
  const recipients = new Map<string, string>();
  const times: Record<string, number> = {};
  for (const { messageId, recipient } of smtp.delivered) {
    if (messageId === '' || (recipients.get(messageId) ?? recipient) !== recipient)
      throw new Error(`Message-ID ${messageId} of ${recipient} and of ${recipients.get(messageId)}`);
    recipients.set(messageId, recipient);
    const name = recipient.split('@')[0] ?? '';
    times[name] = (times[name] ?? 0) + 1;
  }
  return times;
}

/** Message-IDs that were delivered more than once. */
export function twice(smtp: FaultySmtp): string[] {
  return [...smtp.times].filter(([, times]) => times > 1).map(([messageId]) => messageId);
}

/**
 * Stops a process with SIGSTOP at the moment at which it has come to a step, before the server says a word about it, once.
 * Resolves when it stands; it goes on by `signal('SIGCONT')`.
 */
export function standsStill(
  smtp: FaultySmtp,
  worker: () => Process,
  step: SmtpStep,
  isIt: (mail: SmtpMail) => boolean,
): Promise<void> {
  const { script } = smtp;
  return new Promise((stands) => {
    let done = false;
    smtp.script = (mail, at) => {
      if (!done && at === step && isIt(mail)) {
        done = true;
        stopNow(worker());
        stands();
      }
      return script(mail, at);
    };
  });
}

/** Stops a process, and returns when the kernel says that it stands, where it can say so. */
export function stopNow(worker: Process): void {
  worker.signal('SIGSTOP');
  while (stateOf(worker.pid) === 'running');
}

function stateOf(pid: number | undefined): 'running' | 'stopped' {
  try {
    return /^State:\t[^TtZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) ? 'running' : 'stopped';
  } catch {
    // It has ended, or the system has no /proc.
    return 'stopped';
  }
}
