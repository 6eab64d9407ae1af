import { setTimeout as pause } from 'node:timers/promises';
import type { Sql } from '../../platform/stores/postgres.js';
import { barcodeOf } from './codes/boleto.js';
import type { BoletoIssuer, Registered, Title, WrittenOff } from './issuer.js';

/** How the bank misbehaves in tests. */
export interface BankFaults {
  /** Each call takes so long before the bank does anything. */
  delayMs?: number;
  /** Each title whose number is divisible by this is refused. */
  refuseEvery?: bigint;
  /** Asked at each call: true, and the bank does nothing and answers `unavailable` for all. */
  unavailable?: () => boolean;
  /** Asked at each call: true, and the bank stores all, but its answer is lost. */
  dieAfterCommit?: () => boolean;
}

/** Another barcode or amount under a number that is taken. */
const OTHER_TITLE = 'OTHER_TITLE';
const REFUSED = 'REFUSED';

interface Kept {
  our_number: string;
  barcode: string;
  cents: string;
  fresh: boolean;
}

/**
 * A bank that nobody can pay at. It has a table of its own and writes it outside the ledger's transactions, so that a crash
 * between the two is as real as at a real bank.
 */
export class SimulatedBank implements BoletoIssuer {
  readonly notice = 'EXEMPLO, SEM VALOR DE PAGAMENTO';

  constructor(
    private readonly sql: Sql,
    private readonly faults: BankFaults = {},
  ) {}

  async register(titles: readonly Title[], deadline: AbortSignal): Promise<readonly Registered[]> {
    if (!(await this.#answers(deadline)))
      return titles.map(({ ourNumber }) => ({ ourNumber, result: 'unavailable' as const }));
    const refused = titles.filter((title) => this.#refuses(title));
    const taken = titles.filter((title) => !this.#refuses(title));
    const registered = await this.#keep(taken.map((title) => ({ ...title, barcode: barcodeOf(title) })));
    if (this.faults.dieAfterCommit?.()) throw new Error('the answer of the bank is lost');
    return [
      ...registered,
      ...refused.map(({ ourNumber }) => ({ ourNumber, result: 'refused' as const, code: REFUSED })),
    ];
  }

  async writeOff(ourNumbers: readonly bigint[], deadline: AbortSignal): Promise<readonly WrittenOff[]> {
    if (!(await this.#answers(deadline)))
      return ourNumbers.map((ourNumber) => ({ ourNumber, result: 'unavailable' as const }));
    const rows = await this.sql.query<{ our_number: string }>(
      `UPDATE simulated_bank_titles SET written_off_at = coalesce(written_off_at, clock_timestamp())
        WHERE our_number = ANY ($1) RETURNING our_number`,
      [ourNumbers.map(String)],
    );
    if (this.faults.dieAfterCommit?.()) throw new Error('the answer of the bank is lost');
    const known = new Set(rows.map(({ our_number }) => our_number));
    return ourNumbers.map((ourNumber) => ({
      ourNumber,
      result: known.has(String(ourNumber)) ? 'written_off' : 'unknown',
    }));
  }

  async #answers(deadline: AbortSignal): Promise<boolean> {
    if (this.faults.delayMs !== undefined) await pause(this.faults.delayMs, undefined, { signal: deadline });
    deadline.throwIfAborted();
    return !this.faults.unavailable?.();
  }

  #refuses({ ourNumber }: Title): boolean {
    const every = this.faults.refuseEvery;
    return every !== undefined && ourNumber % every === 0n;
  }

  /** Stores those whose number is new. The others are the same title, or another one, which is refused. */
  async #keep(titles: readonly (Title & { barcode: string })[]): Promise<Registered[]> {
    const values = [
      titles.map(({ ourNumber }) => String(ourNumber)),
      titles.map(({ barcode }) => barcode),
      titles.map(({ cents }) => cents),
    ];
    // In one order, so that two workers with the same titles do not wait for each other in a circle.
    const inserted = await this.sql.query<Kept>(
      `INSERT INTO simulated_bank_titles (our_number, barcode, cents)
       SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS t(number, barcode, cents) ORDER BY number
       ON CONFLICT (our_number) DO NOTHING RETURNING our_number, barcode, cents, true AS fresh`,
      values,
    );
    // A statement of its own, after the first: it sees what another worker has just stored.
    const before =
      inserted.length === titles.length
        ? []
        : await this.sql.query<Kept>(
            `SELECT our_number, barcode, cents, false AS fresh FROM simulated_bank_titles WHERE our_number = ANY ($1)`,
            [values[0]],
          );
    const kept = new Map([...before, ...inserted].map((row) => [row.our_number, row]));
    return titles.map((title) => outcomeOf(title, kept.get(String(title.ourNumber))));
  }
}

function outcomeOf({ ourNumber, barcode, cents }: Title & { barcode: string }, kept: Kept | undefined): Registered {
  if (!kept) return { ourNumber, result: 'unavailable' };
  if (kept.barcode !== barcode || kept.cents !== String(cents))
    return { ourNumber, result: 'refused', code: OTHER_TITLE };
  return { ourNumber, result: kept.fresh ? 'registered' : 'already', barcode, bankReference: `999-${ourNumber}` };
}
