import { Injectable } from '@nestjs/common';
import { count, type Found, Retention, type Run } from '../../retention/retention.js';
import { type DebtPage, EraseDebtsRepository } from './erase-debts.repository.js';
import { EraseImportsRepository, type RejectPlace, type Traces } from './erase-imports.repository.js';
import type { Wanted } from './wanted.js';

type OnePerson = Exclude<Wanted, { olderThanDays: number }>;
type Debts = Omit<DebtPage, 'last'>;

const BEFORE_ALL = '0';

/**
 * Erases who owes and who paid: by age, and of one person. What is owed is never touched, as it is billed by these names. Amounts,
 * dates and states stay, and so does each debtId: a line with it is `repeated`, so that no file brings the person back.
 */
@Injectable()
export class EraseDebts {
  constructor(
    private readonly debts: EraseDebtsRepository,
    private readonly imports: EraseImportsRepository,
    retention: Retention,
  ) {
    retention.onErase((days, run) => this.#erase(days, run));
    retention.onForget('document', (document, run) => this.#forget({ document }, run));
    retention.onForget('email', (email, run) => this.#forget({ email }, run));
  }

  /** Each page is a transaction: a run that was stopped or killed is run again, and goes on with what is left. */
  async #erase(days: number, run: Run): Promise<Found> {
    const debts = await this.#pages({ olderThanDays: days }, run);
    const traces = { ...none(), rejects: await this.#rejects(days, run) };
    if (!run.stop.aborted) Object.assign(traces, await this.imports.tracesBefore(days, !run.dryRun));
    const isAny = debts.erased > 0 || Object.values(traces).some((each) => each > 0);
    const done = run.dryRun ? 'would be erased' : 'erased';
    return {
      gone: isAny
        ? [`who owed ${count(debts.erased)} closed debts older than ${count(days)} days ${done}`, ...told(traces)]
        : [],
      remarks: [busy(debts)],
      waits: debts.busy > 0,
    };
  }

  async #forget(wanted: OnePerson, run: Run): Promise<Found> {
    // Asked before: lines that are merged meanwhile are told of here, or their debts are found below.
    const unmerged = await this.imports.unmerged(wanted);
    const debts = await this.#pages(wanted, run);
    const traces = run.stop.aborted ? none() : await this.imports.tracesOf(wanted, !run.dryRun);
    return {
      gone: [`${run.dryRun ? 'Would be forgotten' : 'Forgotten'} in ${count(debts.erased)} debts`, ...told(traces)],
      remarks: [
        debts.owed > 0 ? `${count(debts.owed)} debts are still owed: run it again when they are paid or cancelled` : '',
        busy(debts),
        unmerged > 0 ? `${count(unmerged)} imports that hold it are not merged: run it again when they are` : '',
      ],
      waits: debts.owed > 0 || debts.busy > 0 || unmerged > 0,
    };
  }

  async #pages(wanted: Wanted, { dryRun, stop }: Run): Promise<Debts> {
    const found: Debts = { erased: 0, owed: 0, busy: 0 };
    for (let after: string | undefined = BEFORE_ALL; after !== undefined && !stop.aborted; ) {
      const page: DebtPage = await (dryRun ? this.debts.count(wanted, after) : this.debts.erase(wanted, after));
      found.erased += page.erased;
      found.owed += page.owed;
      found.busy += page.busy;
      after = page.last;
    }
    return found;
  }

  async #rejects(days: number, { dryRun, stop }: Run): Promise<number> {
    let rejects = 0;
    for (let after: RejectPlace | undefined = [0, 0]; after !== undefined && !stop.aborted; ) {
      const page: { last: RejectPlace | undefined; count: number } = await this.imports.rejects(days, after, {
        drop: !dryRun,
      });
      rejects += page.count;
      after = page.last;
    }
    return rejects;
  }
}

function none(): Traces {
  return { rejects: 0, payers: 0, fileNames: 0, parts: 0 };
}

function told({ rejects, payers, fileNames, parts }: Traces): string[] {
  return [
    `${count(rejects)} rejects of imports`,
    `${count(payers)} payers`,
    `${count(fileNames)} names of files`,
    `${count(parts)} unmerged parts of files`,
  ];
}

function busy(debts: Debts): string {
  return debts.busy > 0
    ? `${count(debts.busy)} debts are in use, by a mail under way for instance: run it again in an hour`
    : '';
}
