import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { Outages } from '../outages.js';
import { SmtpConnections } from './connections.js';
import { MailRate } from './rate.js';
import { SendRepository } from './send.repository.js';
import { CLAIMED_AT_ONCE, SendInvoices, type Sendings } from './send-invoices.js';

/** What became of mails. `swept`: those under way for ten minutes, of which nobody has told the end. */
export type MailCounts = Record<
  'sent' | 'mails_refused' | 'mails_later' | 'mails_unsent' | 'mails_unknown' | 'swept',
  number
>;

/** The mail server is one for all companies, and so is its outage. */
const MAILS = 'mails';
/** While the mail server is away one mail at a time shows whether it is back. */
const PROBE = 1;
/** A pass at the limit of mails a minute looks again after this, so that it sees what else has become due. */
const LIMITED_MS = 2_000;
/** A server that refuses so many in a row does not mean their debtors: it does not know us, and would fail all debts for good. */
const REFUSED_IN_ROW = 25;
/**
 * A company of which nothing is due rests for so many times what it took to see that, where it took long: that may have read all
 * its mails, which wait for a later time.
 */
const IDLE = { times: 20, fromMs: 50 };

class MailsRefused extends Error {
  override name = 'MailsRefused';
}

/** Does what billing owes by mail, for each company in turn. */
@Injectable()
export class WorkMails {
  readonly #outages: Outages;
  /** By company: until when no mail of it is looked for. */
  readonly #idle = new Map<number, number>();
  #refusedInRow = 0;
  /** The company whose turn was last. */
  #last = 0;

  constructor(
    private readonly sending: SendInvoices,
    private readonly connections: SmtpConnections,
    private readonly rate: MailRate,
    private readonly repository: SendRepository,
    private readonly postgres: Postgres,
    log: Log,
  ) {
    this.#outages = new Outages(log);
  }

  /** No mail was sent, whatever the reason. */
  static nothing(): MailCounts {
    return { sent: 0, mails_refused: 0, mails_later: 0, mails_unsent: 0, mails_unknown: 0, swept: 0 };
  }

  /**
   * Sends some mails of each company, and sweeps. Without a mail server it sweeps only. Whether anything was done, so that
   * there may be more. At the limit of mails a minute it waits a little while mails are due. Rejects when PostgreSQL is away.
   */
  async round(stop: AbortSignal, counts: MailCounts): Promise<boolean> {
    const swept = await this.#sweep(counts);
    if (!this.connections.isConfigured) return swept;
    let moved = false;
    for (const companyNo of await this.#inTurn()) {
      if (stop.aborted || this.#outages.rests(MAILS)) break;
      if (!(await this.#isDue(companyNo))) continue;
      if (this.rate.free === 0) {
        if (!moved)
          await pause(Math.min(this.rate.waitMs, LIMITED_MS), undefined, { signal: stop }).catch(() => undefined);
        return true;
      }
      moved = (await this.#send(companyNo, stop, counts)) || moved;
      this.#last = companyNo;
    }
    return moved || swept;
  }

  /** The end of a pass. */
  end(): void {
    this.connections.close();
  }

  /** guard: begins after the company that was last, so that a round which ends early does not serve the same ones each time */
  async #inTurn(): Promise<number[]> {
    const owing = await this.postgres.unlessSilent(() => this.repository.owing());
    return [...owing.filter((each) => each > this.#last), ...owing.filter((each) => each <= this.#last)];
  }

  /** guard: asked before the server is connected to, which would be for nothing while all mails wait for their time */
  async #isDue(companyNo: number): Promise<boolean> {
    const begun = performance.now();
    if ((this.#idle.get(companyNo) ?? 0) > begun) return false;
    const isDue = await this.postgres.unlessSilent(() => this.repository.isDue(companyNo));
    const now = performance.now();
    if (isDue) this.#idle.delete(companyNo);
    else if (now - begun >= IDLE.fromMs) this.#idle.set(companyNo, now + IDLE.times * (now - begun));
    return isDue;
  }

  #send(companyNo: number, stop: AbortSignal, counts: MailCounts): Promise<boolean> {
    return this.#outages.run(`mails of company ${companyNo}`, async () => {
      const most = this.#outages.has(MAILS) ? PROBE : CLAIMED_AT_ONCE;
      const done = await this.postgres.unlessSilent(() => this.sending.send(companyNo, most, stop));
      counts.sent += done.sent;
      counts.mails_refused += done.refused;
      counts.mails_later += done.later;
      counts.mails_unsent += done.unsent;
      counts.mails_unknown += done.unknown;
      const answered = done.sent + done.refused + done.later + done.unknown;
      const failure = done.failure ?? this.#refusal(done);
      if (failure !== undefined) this.#outages.failed(MAILS, failure);
      else if (answered > 0) this.#outages.over(MAILS);
      return { moved: answered > 0 || (done.claimed > 0 && failure === undefined) };
    });
  }

  /** A mail that the server defers is a sign, too, that it knows us. */
  #refusal({ sent, later, refused }: Sendings): Error | undefined {
    this.#refusedInRow = sent + later > 0 ? 0 : this.#refusedInRow + refused;
    if (this.#refusedInRow < REFUSED_IN_ROW) return undefined;
    return new MailsRefused(`the mail server has refused ${this.#refusedInRow} mails in a row`);
  }

  async #sweep(counts: MailCounts): Promise<boolean> {
    let moved = false;
    for (const companyNo of await this.postgres.unlessSilent(() => this.repository.overdue()))
      moved =
        (await this.#outages.run(`sweep of company ${companyNo}`, async () => {
          const swept = await this.postgres.unlessSilent(() => this.repository.sweep(companyNo));
          counts.swept += swept;
          return { moved: swept > 0 };
        })) || moved;
    return moved;
  }
}
