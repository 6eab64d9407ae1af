import { Inject, Injectable } from '@nestjs/common';
import { BillingMeter } from '../upkeep/billing-meter.js';
import { txidOf } from './codes/txid.js';
import { type ClaimedDebt, IssueRepository } from './issue.repository.js';
import { askBank, BankAway, BOLETO_ISSUER, type BoletoIssuer, type Registered, type Title } from './issuer.js';

/**
 * What one claim came to. `unanswered`: the bank said nothing of these, and is asked again when their lease is over.
 * `failure`: why, where it said nothing of any.
 */
export interface Issued {
  claimed: number;
  issued: number;
  refused: number;
  unanswered: number;
  failure?: unknown;
}

/** A statement claims and records so many. */
export const ISSUED_AT_ONCE = 500;

/** Asks the bank for the boletos that companies owe. */
@Injectable()
export class IssueDebts {
  constructor(
    private readonly repository: IssueRepository,
    @Inject(BOLETO_ISSUER) private readonly bank: BoletoIssuer,
    private readonly meter: BillingMeter,
  ) {}

  /**
   * Claims debts of a company, asks the bank, and records what it said. A process that dies between two of these steps leaves
   * a lease, after which another one asks about the same numbers.
   */
  async issue(companyNo: number, howMany = ISSUED_AT_ONCE): Promise<Issued> {
    const claimed = await this.repository.claim(companyNo, howMany);
    if (claimed.length === 0) return { claimed: 0, issued: 0, refused: 0, unanswered: 0 };
    const asked = await askBank((deadline) => this.bank.register(claimed.map(titleOf), deadline));
    const results = 'failure' in asked ? [] : asked.answer;
    const [issued, refused] = [await this.#recordIssued(claimed, results), await this.#recordRefused(claimed, results)];
    for (const { result } of results) if (result !== 'unavailable') this.meter.issued(result);
    const told = new Set(results.filter(({ result }) => result !== 'unavailable').map(({ ourNumber }) => ourNumber));
    const unanswered = claimed.filter(({ seq }) => !told.has(BigInt(seq))).length;
    this.meter.issued('unavailable', unanswered);
    const counts = { claimed: claimed.length, issued, refused, unanswered };
    if ('failure' in asked) return { ...counts, failure: asked.failure };
    return unanswered === claimed.length ? { ...counts, failure: new BankAway() } : counts;
  }

  /** A cancelled or paid debt is recorded, too, without a mail: its title is there, and the pass writes it off (B11). */
  async #recordIssued(claimed: readonly ClaimedDebt[], results: readonly Registered[]): Promise<number> {
    const registered = new Map(results.filter(isRegistered).map((each) => [each.ourNumber, each]));
    let issued = 0;
    for (const version of new Set(claimed.map((debt) => debt.version))) {
      const ofVersion = claimed
        .filter((debt) => debt.version === version)
        .flatMap(({ seq }) => registered.get(BigInt(seq)) ?? []);
      if (ofVersion.length > 0) issued += await this.repository.recordIssued(version, ofVersion);
    }
    return issued;
  }

  async #recordRefused(claimed: readonly ClaimedDebt[], results: readonly Registered[]): Promise<number> {
    const codes = new Map(
      results.flatMap((each) => (each.result === 'refused' ? [[each.ourNumber, each.code] as const] : [])),
    );
    const refused = claimed.flatMap(({ seq, epoch }) => {
      const code = codes.get(BigInt(seq));
      return code === undefined ? [] : [{ seq, epoch, code }];
    });
    return refused.length === 0 ? 0 : this.repository.recordRefused(refused);
  }
}

function titleOf({ seq, debt_id, name, government_id, cents, due_on, agreement }: ClaimedDebt): Title {
  return {
    ourNumber: BigInt(seq),
    agreement,
    cents: Number(cents),
    dueOn: due_on,
    txid: txidOf(debt_id),
    name,
    governmentId: government_id,
  };
}

function isRegistered(each: Registered): each is Extract<Registered, { barcode: string }> {
  return each.result === 'registered' || each.result === 'already';
}
