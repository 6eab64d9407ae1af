import { Inject, Injectable } from '@nestjs/common';
import { Log } from '../../platform/telemetry/log.js';
import { IssueRepository, type ToWriteOff } from './issue.repository.js';
import { askBank, BankAway, BOLETO_ISSUER, type BoletoIssuer, type WrittenOff } from './issuer.js';

/** What one claim came to. `failure`: why the bank said nothing of any. */
export interface WriteOffs {
  claimed: number;
  writtenOff: number;
  unanswered: number;
  failure?: unknown;
}

/** A statement claims and records so many. */
const WRITTEN_OFF_AT_ONCE = 500;

/** Takes titles of cancelled debts back from the bank, so that nobody pays what is not owed. */
@Injectable()
export class WriteOff {
  constructor(
    private readonly repository: IssueRepository,
    @Inject(BOLETO_ISSUER) private readonly bank: BoletoIssuer,
    private readonly log: Log,
  ) {}

  /**
   * Asks for the write-off of cancelled debts that the bank was once asked about (B11). One that the bank does not know may be
   * on its way there from a worker that asked before the debt was cancelled: it is asked about again each minute, for seven days.
   */
  async writeOff(companyNo: number): Promise<WriteOffs> {
    const claimed = await this.repository.claimWriteOff(companyNo, WRITTEN_OFF_AT_ONCE);
    if (claimed.length === 0) return { claimed: 0, writtenOff: 0, unanswered: 0 };
    const numbers = claimed.map(({ seq }) => BigInt(seq));
    const asked = await askBank((deadline) => this.bank.writeOff(numbers, deadline));
    if ('failure' in asked) return { claimed: claimed.length, writtenOff: 0, unanswered: claimed.length, ...asked };
    const results = new Map(asked.answer.map((each) => [String(each.ourNumber), each.result]));
    this.#tell(companyNo, claimed, results);
    const ended = claimed.filter(({ seq, is_old }) => isEnd(results.get(seq), is_old)).map(({ seq }) => seq);
    const writtenOff = ended.length === 0 ? 0 : await this.repository.recordWrittenOff(ended);
    const unanswered = claimed.filter(({ seq }) => (results.get(seq) ?? 'unavailable') === 'unavailable').length;
    const counts = { claimed: claimed.length, writtenOff, unanswered };
    return unanswered === claimed.length ? { ...counts, failure: new BankAway() } : counts;
  }

  /** Money that came for a cancelled debt is never passed over: who reads the log looks for its payment. */
  #tell(companyNo: number, claimed: readonly ToWriteOff[], results: ReadonlyMap<string, WrittenOff['result']>): void {
    for (const { seq } of claimed)
      if (results.get(seq) === 'paid')
        this.log.warn(
          { company_no: companyNo, seq },
          'a cancelled debt was paid at the bank before its title was written off',
        );
  }
}

/**
 * Whether nobody can pay by the title any more. `paid`: by that payment it is closed at the bank; the payment itself comes by
 * the webhook, and makes the debt `paga`.
 */
function isEnd(result: WrittenOff['result'] | undefined, isOld: boolean): boolean {
  return result === 'written_off' || result === 'paid' || (result === 'unknown' && isOld);
}
