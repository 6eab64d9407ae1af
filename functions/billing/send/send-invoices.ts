import { Inject, Injectable } from '@nestjs/common';
import { Log } from '../../platform/telemetry/log.js';
import { boletoViewOf } from '../issue/document/boleto-view.js';
import { BOLETO_ISSUER, type BoletoIssuer } from '../issue/issuer.js';
import { BillingMeter, type MailOutcome } from '../upkeep/billing-meter.js';
import { afterStop } from './after-stop.js';
import { SmtpConnections } from './connections.js';
import { mailOf } from './message.js';
import { MailRate } from './rate.js';
import { RecordMail } from './record-mail.js';
import { type Attempt, type ClaimedMail, SendRepository } from './send.repository.js';
import { Begun, type Mail, type MailResult, type SmtpConnection, SmtpUnavailable } from './smtp/smtp.js';
import { type Verdict, verdictOf } from './verdict.js';

/** What one claim came to. `failure`: why the mail server takes nothing now; what was not begun is given back. */
export interface Sendings extends Record<MailOutcome, number> {
  claimed: number;
  failure?: Error;
}

interface MadeMail {
  claimed: ClaimedMail;
  mail: Mail;
}

/** One claim under way. */
interface Batch {
  companyNo: number;
  stop: AbortSignal;
  done: Sendings;
  /** Those that are begun, or were passed over. */
  begun: Set<ClaimedMail>;
}

/** A statement claims so many. */
export const CLAIMED_AT_ONCE = 25;
/**
 * After the stop a mail under way has so long. Then its socket is destroyed: before the end of its text it is not sent, after
 * it nobody knows. With what is left for recording, less than the 25 s that a process has, and the 40 s of a function.
 */
const AFTER_STOP_MS = 10_000;

/** Sends the mails that companies owe to their debtors, each with its boleto. */
@Injectable()
export class SendInvoices {
  /** Of which the server has answered for a mail. */
  readonly #hasCarried = new WeakSet<SmtpConnection>();

  constructor(
    private readonly repository: SendRepository,
    private readonly connections: SmtpConnections,
    private readonly rate: MailRate,
    private readonly recording: RecordMail,
    @Inject(BOLETO_ISSUER) private readonly bank: BoletoIssuer,
    private readonly meter: BillingMeter,
    private readonly log: Log,
  ) {}

  /**
   * Claims mails of a company and sends them, in windows of as many as there are connections. A process that dies leaves its
   * window at most as begun, which is held for a person; the rest of the claim is free when the lease is over. After `stop`
   * nothing is begun. Rejects when PostgreSQL is away.
   */
  async send(companyNo: number, most: number, stop: AbortSignal): Promise<Sendings> {
    const done: Sendings = { claimed: 0, sent: 0, refused: 0, later: 0, unsent: 0, unknown: 0 };
    const batch: Batch = { companyNo, stop, done, begun: new Set() };
    // guard: an outage is seen before anything is claimed
    if (!(await this.#connect(1, batch))) return done;
    const claimed = await this.repository.claim(companyNo, Math.min(most, CLAIMED_AT_ONCE, this.rate.free));
    done.claimed = claimed.length;
    const waiting = [...claimed];
    try {
      while (waiting.length > 0 && !stop.aborted && done.failure === undefined) {
        const open = await this.#connect(waiting.length, batch);
        if (open) await this.#window(waiting.splice(0, open.length), open, batch);
      }
    } finally {
      await this.#giveBack(claimed.filter((each) => !batch.begun.has(each)));
    }
    return done;
  }

  /** Undefined: there is none, which `done` says, unless it was told to stop. */
  async #connect(wanted: number, { stop, done }: Batch): Promise<readonly SmtpConnection[] | undefined> {
    try {
      return await this.connections.ready(wanted, stop);
    } catch (error) {
      if (stop.aborted) return undefined;
      if (!(error instanceof SmtpUnavailable)) throw error;
      done.failure = error;
      return undefined;
    }
  }

  async #window(claimed: readonly ClaimedMail[], open: readonly SmtpConnection[], batch: Batch): Promise<void> {
    // guard: made before it begins, so that what cannot be made is not begun, and its time does not run
    const made: MadeMail[] = [];
    for (const each of claimed) {
      const mail = await this.#make(each, batch);
      if (mail) made.push({ claimed: each, mail });
    }
    if (made.length === 0 || batch.stop.aborted) return;
    // guard, B12: it runs from before the begin, since a process may be frozen between the commit and the next line
    const begun = new Begun();
    const underWay = await this.#begin(made, batch);
    this.rate.took(underWay.length);
    const undo = afterStop(batch.stop, AFTER_STOP_MS, () => {
      for (const connection of open) connection.close();
    });
    try {
      const unsent = await Promise.all(
        underWay.map((each, at) => this.#deliver(each, open[at] as SmtpConnection, begun, batch)),
      );
      this.#judge(unsent, batch);
    } finally {
      undo();
    }
  }

  /** One connection may just have been closed. When none of them took a mail, the server takes none now. */
  #judge(unsent: readonly (string | undefined)[], { done, stop }: Batch): void {
    const reason = unsent.find((each) => each !== undefined);
    if (reason === undefined || stop.aborted) return;
    this.connections.noMore();
    if (!unsent.every((each) => each !== undefined)) return;
    done.failure = new SmtpUnavailable(reason);
    this.meter.smtp(false);
  }

  /**
   * Undefined: it cannot be made. That is this mail's alone. It is tried again as one that the server refuses for now, and fails
   * in the end: a pass neither stops for it nor takes it again at once.
   */
  async #make(claimed: ClaimedMail, { begun }: Batch): Promise<Mail | undefined> {
    try {
      return await mailOf({
        boleto: boletoViewOf(claimed, claimed, this.bank.notice),
        to: claimed.email,
        sender: { name: claimed.sender_name, address: this.connections.from },
        number: claimed.number,
        companyNo: claimed.company_no,
        messageDate: claimed.message_date,
      });
    } catch (error) {
      const { seq, number, company_no } = claimed;
      const { name, stack = '' } = error instanceof Error ? error : new Error(typeof error);
      // Without its text, which may quote the debtor.
      const at = stack.split('\n').filter((line) => line.trimStart().startsWith('at '));
      this.log.error({ seq, number, kind: name, at }, 'a bug: a mail cannot be made; it is tried again');
      const verdict = verdictFor({ result: 'later', response: 'the mail could not be made' }, claimed);
      await this.repository.pass(company_no, claimed, verdict);
      begun.add(claimed);
      return undefined;
    }
  }

  /** Those that are begun, committed (B1). */
  async #begin(made: readonly MadeMail[], { companyNo, stop, begun }: Batch): Promise<MadeMail[]> {
    const attempts = made.map(({ claimed }) => claimed);
    try {
      const seqs = new Set((await this.repository.begin(companyNo, attempts)).map(({ seq }) => seq));
      const underWay = made.filter(({ claimed }) => seqs.has(claimed.seq));
      for (const { claimed } of underWay) begun.add(claimed);
      return underWay;
    } catch (error) {
      // It may be committed all the same. None of it is sent, so nobody need be asked about it.
      const not = { result: 'unsent', reason: 'not begun' } as const;
      await Promise.all(made.map(({ claimed }) => this.recording.record(claimed, verdictFor(not, claimed), stop)));
      throw error;
    }
  }

  /**
   * Why it was not sent, where the mail server takes none. Our own clock says nothing of the server, nor does the end of a
   * connection that has carried a mail: some servers end each after a few.
   */
  async #deliver(
    { claimed, mail }: MadeMail,
    connection: SmtpConnection,
    begun: Begun,
    { stop, done }: Batch,
  ): Promise<string | undefined> {
    const result = await connection.send(mail, begun);
    const isFirst = !this.#hasCarried.has(connection);
    if (result.result !== 'unsent') this.#hasCarried.add(connection);
    this.meter.mail(result.result);
    done[result.result] += 1;
    await this.recording.record(claimed, verdictFor(result, claimed), stop);
    return result.result === 'unsent' && !result.ours && isFirst ? result.reason : undefined;
  }

  /** What stays claimed is free when the lease is over, so a failure changes little. */
  async #giveBack(attempts: readonly Attempt[]): Promise<void> {
    if (attempts.length > 0) await this.repository.giveBack(attempts).catch(() => undefined);
  }
}

function verdictFor(result: MailResult, { answered, was_unknown, unknown_now }: ClaimedMail): Verdict {
  return verdictOf(result, { answered, wasUnknown: was_unknown, unknown: unknown_now });
}
