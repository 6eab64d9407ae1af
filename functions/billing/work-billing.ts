import { setMaxListeners } from 'node:events';
import { Injectable } from '@nestjs/common';
import type { Counts } from '../platform/duties.js';
import { Postgres } from '../platform/stores/postgres.js';
import { Log } from '../platform/telemetry/log.js';
import { MergeImports } from './import/merge-imports.js';
import { IssueRepository } from './issue/issue.repository.js';
import { ISSUED_AT_ONCE, IssueDebts } from './issue/issue-debts.js';
import { WriteOff } from './issue/write-off.js';
import { Outages } from './outages.js';
import { watchStop } from './send/after-stop.js';
import { type MailCounts, WorkMails } from './send/work-mails.js';
import { untilIdle } from './until-idle.js';

/** What a pass did. `merged`: chunks. `unanswered`: titles of which the bank said nothing; it is asked again. `refused`: by the bank. */
export type BillingCounts = Counts &
  MailCounts &
  Record<'merged' | 'issued' | 'refused' | 'written_off' | 'unanswered', number>;

/** While the bank is away it is asked for so many titles: each that it is asked for waits for the end of a lease. */
const PROBE = 1;
/** A round asks no more companies when the bank has failed so many, each for its whole deadline perhaps. */
const MOST_FAILURES = 3;
/** A company of which nothing is due rests for so many times what it took to see that, since that may read all its debts. */
const IDLE_TIMES = 20;

/** Does what billing owes: merges what was uploaded, issues boletos, mails them, takes back those of cancelled debts. */
@Injectable()
export class WorkBilling {
  #underWay = false;
  readonly #outages: Outages;
  /** By company: until when nothing of it is looked for. */
  readonly #idle = new Map<number, number>();

  constructor(
    private readonly merging: MergeImports,
    private readonly issuing: IssueDebts,
    private readonly writingOff: WriteOff,
    private readonly mails: WorkMails,
    private readonly repository: IssueRepository,
    private readonly postgres: Postgres,
    log: Log,
  ) {
    this.#outages = new Outages(log);
  }

  /**
   * Works in rounds until nothing is owed that may be done now, or told to stop; then it ends with the current statement,
   * question to the bank, or mails under way. Mails have rounds of their own, so that a slow mail server delays no boleto. One
   * at a time in a process: while one is under way, the next returns at once, with zeros. Any number of processes may work at
   * once. Rejects when PostgreSQL is away; any other failure of one company or of one kind of work does not stop the others.
   */
  async pass(stop: AbortSignal): Promise<BillingCounts> {
    const counts: BillingCounts = {
      merged: 0,
      issued: 0,
      refused: 0,
      written_off: 0,
      unanswered: 0,
      ...WorkMails.nothing(),
    };
    if (this.#underWay) return counts;
    this.#underWay = true;
    watchStop(stop);
    // Each mail under way adds one.
    setMaxListeners(0, stop);
    try {
      await untilIdle([() => this.#round(stop, counts), () => this.mails.round(stop, counts)], stop);
      return counts;
    } finally {
      this.mails.end();
      this.#underWay = false;
    }
  }

  /** Each kind of work but mails once, for each company in turn. Whether anything was done, so that there may be more. */
  async #round(stop: AbortSignal, counts: BillingCounts): Promise<boolean> {
    let moved = await this.#outages.run('merge', async () => {
      const merged = await this.merging.pass(stop);
      counts.merged += merged;
      return { moved: merged > 0 };
    });
    const owing = await this.postgres.unlessSilent(() => this.repository.owing());
    let failures = 0;
    for (const companyNo of owing) {
      if (stop.aborted || failures >= MOST_FAILURES) break;
      const before = counts.unanswered;
      moved = (await this.#issue(companyNo, counts)) || moved;
      moved = (await this.#writeOff(companyNo, counts)) || moved;
      if (counts.unanswered > before) failures += 1;
    }
    return moved;
  }

  async #issue(companyNo: number, counts: BillingCounts): Promise<boolean> {
    if ((this.#idle.get(companyNo) ?? 0) > performance.now()) return false;
    const work = `issue of company ${companyNo}`;
    return this.#outages.run(work, async () => {
      const begun = performance.now();
      const howMany = this.#outages.has(work) ? PROBE : ISSUED_AT_ONCE;
      const done = await this.postgres.unlessSilent(() => this.issuing.issue(companyNo, howMany));
      counts.issued += done.issued;
      counts.refused += done.refused;
      counts.unanswered += done.unanswered;
      const now = performance.now();
      if (done.claimed === 0) this.#idle.set(companyNo, now + IDLE_TIMES * (now - begun));
      else this.#idle.delete(companyNo);
      return { moved: done.claimed > done.unanswered, failure: done.failure };
    });
  }

  async #writeOff(companyNo: number, counts: BillingCounts): Promise<boolean> {
    return this.#outages.run(`write-off of company ${companyNo}`, async () => {
      const done = await this.postgres.unlessSilent(() => this.writingOff.writeOff(companyNo));
      counts.written_off += done.writtenOff;
      counts.unanswered += done.unanswered;
      return { moved: done.claimed > done.unanswered, failure: done.failure };
    });
  }
}
