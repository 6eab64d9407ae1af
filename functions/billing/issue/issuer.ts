import { withDeadline } from '../../platform/deadline.js';

/** What is registered at the bank for one debt. Of a debt it is the same each time, so that a second register is the same title. */
export interface Title {
  /** The key, which is fixed before the bank is asked (B8): nosso número, the `seq` of the debt. */
  ourNumber: bigint;
  /** The beneficiary's number at the bank, 1 to 999999. */
  agreement: number;
  cents: number;
  /** YYYY-MM-DD */
  dueOn: string;
  /** For the Pix charge. */
  txid: string;
  /** Who is to pay. */
  name: string;
  governmentId: string;
}

/**
 * What became of a title. `already`: this very title was registered before, which is a success. `unavailable`: nobody knows;
 * it is asked again.
 */
export type Registered =
  | { ourNumber: bigint; result: 'registered' | 'already'; barcode: string; bankReference: string }
  | { ourNumber: bigint; result: 'refused'; code: string }
  | { ourNumber: bigint; result: 'unavailable' };

/** What became of a title that shall not be paid any more. `unknown`: the bank has none of this number, so far. */
export interface WrittenOff {
  ourNumber: bigint;
  result: 'written_off' | 'unknown' | 'paid' | 'unavailable';
}

/**
 * Registers titles at a bank. Idempotent by ourNumber: a second register of the same title answers `already`, and one with
 * another barcode or amount is refused. An error that is thrown says as little as `unavailable`.
 */
export interface BoletoIssuer {
  /** One result a title, in any order. */
  register(titles: readonly Title[], deadline: AbortSignal): Promise<readonly Registered[]>;
  writeOff(ourNumbers: readonly bigint[], deadline: AbortSignal): Promise<readonly WrittenOff[]>;
  /** What each document and answer says while nobody can pay by it; undefined at a real bank. */
  readonly notice: string | undefined;
}

/** The bank is injected by this name. */
export const BOLETO_ISSUER = Symbol('BoletoIssuer');

const BANK_MS = 20_000;

/**
 * Asks the bank, for 20 s at most: an answer that comes later counts as none. A failure is returned and not thrown, since
 * the bank may have done all that it was asked for.
 */
export async function askBank<T>(
  ask: (deadline: AbortSignal) => Promise<T>,
): Promise<{ answer: T } | { failure: unknown }> {
  const controller = new AbortController();
  const late = () => {
    const error = new Error(`the bank has not answered within ${BANK_MS} ms`);
    controller.abort(error);
    throw error;
  };
  try {
    return { answer: await withDeadline(BANK_MS, ask(controller.signal), late) };
  } catch (failure) {
    return { failure };
  }
}

/** Why nothing is known of any title, where the bank itself said so. */
export class BankAway extends Error {
  override name = 'BankAway';

  constructor() {
    super('the bank is away');
  }
}
