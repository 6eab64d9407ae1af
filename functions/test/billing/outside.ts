import { type DeliveryNow, mailOf } from './invariants.js';

/** After so many answers of which none is final a mail is given up. Fewer than in real life, so that runs come to it. */
export const WAITS = 2;

/** What a worker knows of a mail, by its own connection. `sent`: the mail server has said so. `unsent`: by no fault of the mail. */
export type Known = 'sent' | 'refused' | 'later' | 'unsent' | 'unknown';

/** One attempt to mail, as the world outside knows it. */
export interface Attempt {
  seq: string;
  number: number;
  attempt: number;
}

/** The tables have seq as a number, the statements as text. */
type Named = Omit<Attempt, 'seq'> & { seq: string | number };

interface Handed extends Attempt {
  /** Ten minutes have passed since it began. */
  old: boolean;
  /** Whether the debtor has the mail. */
  delivered: boolean;
  known?: Known;
  /** A person has said that it was not sent. */
  denied: boolean;
  /** The ledger has heard from the worker that it was sent. */
  recorded: boolean;
}

/** The bank, and the debtors' mailboxes. They know nothing of our tables. */
export class Outside {
  /** By nosso número: its bar code, and whether it can be paid no more. */
  readonly titles = new Map<string, { barcode: string; writtenOff: boolean }>();
  readonly #attempts = new Map<string, Handed[]>();

  /** @param resends Companies that mail again where nobody knows. */
  constructor(private readonly resends: boolean) {}

  hasTitle(seq: number): boolean {
    return this.titles.has(String(seq));
  }

  register(seq: string, barcode: string): string {
    const title = this.titles.get(seq) ?? { barcode, writtenOff: false };
    this.titles.set(seq, title);
    return title.barcode;
  }

  writeOff(seq: string): 'written_off' | 'unknown' {
    const title = this.titles.get(seq);
    if (!title) return 'unknown';
    title.writtenOff = true;
    return 'written_off';
  }

  /** An attempt is begun and committed: those before it must be known to be unsent, or the company wants it so. */
  begins(attempt: Attempt): void {
    const before = this.#of(attempt);
    const unsure = before.filter((each) => !each.denied && !this.#mayGoAgain(each));
    if (unsure.length > 0) throw new Error(`begun again: ${JSON.stringify([attempt, unsure])}`);
    this.#attempts.set(mailOf(attempt), [
      ...before,
      { ...attempt, old: false, delivered: false, denied: false, recorded: false },
    ]);
  }

  /** The debtor gets it, at once or late. */
  delivers(attempt: Attempt): void {
    const twice = this.#of(attempt).filter((each) => each.delivered && !(this.resends && isUnknown(each)));
    if (twice.length > 0) throw new Error(`a mail twice: ${JSON.stringify([attempt, twice])}`);
    this.#one(attempt).delivered = true;
  }

  /** Its worker knows what became of it; the ledger may not. */
  knows(attempt: Attempt, what: Known): void {
    this.#one(attempt).known = what;
  }

  /** Ten minutes pass. */
  ages(attempt: Named): void {
    this.#one(attempt).old = true;
  }

  isOld(attempt: Named): boolean {
    return this.#one(attempt).old;
  }

  /** Whether the debtor has it from any attempt: what a person sees who asks. */
  wasDelivered(mail: { seq: number | string; number: number }): boolean {
    return this.#of(mail).some(({ delivered }) => delivered);
  }

  /** A person has said so, and the ledger has taken it. `wasOld`: when the person asked. */
  denies(attempt: Named, wasOld: boolean): void {
    for (const each of this.#of(attempt)) each.denied = true;
    const last = this.#one(attempt);
    // It arrived and grew old while the person wrote: no ledger can know that.
    if (last.old && !wasOld) last.delivered = false;
  }

  /** What the ledger says of a delivery must be what happened, as far as somebody knows. */
  check(delivery: DeliveryNow): void {
    const attempts = this.#of(delivery);
    const last = attempts.at(-1);
    const isWrong =
      // It is held only where ten minutes have passed, or its worker does not know.
      (delivery.status === 'desconhecida' && last && !isUnknown(last)) ||
      (delivery.status === 'enviada' && !this.wasDelivered(delivery)) ||
      (delivery.status === 'recusada' && last?.known !== 'refused' && !isGivenUp(attempts));
    if (isWrong) throw new Error(`it lies: ${JSON.stringify([delivery, attempts])}`);
  }

  /** The ledger has answered the worker, whatever it has made of it. */
  records(attempt: Attempt): void {
    const one = this.#one(attempt);
    one.recorded = one.known === 'sent';
  }

  /** In the end: what a mail server has confirmed, and a worker has told, is sent. */
  checkConfirmed(deliveries: readonly DeliveryNow[]): void {
    if (this.resends) return;
    for (const each of deliveries) {
      const isConfirmed = this.#of(each).some(({ recorded }) => recorded);
      if (isConfirmed && each.outcome !== 'enviada') throw new Error(`confirmed and lost: ${JSON.stringify(each)}`);
    }
  }

  #mayGoAgain(each: Handed): boolean {
    return each.known === 'later' || each.known === 'unsent' || (this.resends && isUnknown(each));
  }

  #of(mail: { seq: number | string; number: number }): Handed[] {
    return this.#attempts.get(mailOf(mail)) ?? [];
  }

  #one(attempt: Named): Handed {
    const found = this.#of(attempt).find((each) => each.attempt === attempt.attempt);
    if (!found) throw new Error(`never begun: ${JSON.stringify(attempt)}`);
    return found;
  }
}

function isUnknown({ old, known }: Handed): boolean {
  return old || known === 'unknown';
}

/** The last one was put off, as so many before it were. */
function isGivenUp(attempts: readonly Handed[]): boolean {
  const answered = attempts.slice(0, -1).filter(({ known }) => known !== undefined && known !== 'unsent');
  return attempts.at(-1)?.known === 'later' && answered.length >= WAITS;
}
