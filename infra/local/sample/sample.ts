import { type Below, type Debt, Debts, nameOf } from './debts.js';
import type { Options } from './options.js';
import { type Fields, REASONS, type Reason, wrongLine } from './wrong.js';

/** The columns, as the first line names them. */
export const HEADER = 'name,governmentId,email,debtAmount,debtDueDate,debtId';

/** How many lines of each kind a sample has: the counts of an import of it, where the company had no debts. */
export interface Counts {
  /** Without the header. */
  lines: number;
  blank: number;
  rejected: number;
  accepted: number;
  /** Of `accepted`: debts, their repetitions, and lines with the id of a debt that say something else. */
  created: number;
  repeated: number;
  conflicting: number;
  /** Of `created`: documents that are neither CPF nor CNPJ. With `documents: "strict"` such lines are rejected. */
  unverified: number;
  /** Of `rejected`, by reason. */
  reasons: Record<Reason, number>;
  bytes: number;
}

type Kind = 'debt' | 'blank' | 'repeated' | 'conflicting' | Reason;

/** Of a thousand lines that are not plain; all others are debts. */
const BLANK = 5;
const REPEATED = 10;
const CONFLICTING = 5;
const WRONG = 20;
/** Of the debts made so far one in this list is written again. */
const REMEMBERED = 1_024;
const LINES_A_PIECE = 5_000;
const BOM = '\xEF\xBB\xBF';
const CENTS = 100;
const CPF_LENGTH = 11;

/** So that a short file has each kind, too. */
const SHOWN_FIRST: readonly Kind[] = ['debt', 'debt', 'blank', 'repeated', 'conflicting', ...REASONS];

/** Names that stand in quotes, as they hold the separator or quotes. */
const QUOTED_NAMES = ['"Silva, Márcia"', '"Loja ""Boa Vista"" de Luís"', '"D’Ávila & Filhos, Ltda."'].map(nameOf);

/**
 * A CSV of debts, piece by piece. All follows from the seed. Not plain, it has all that people send: lines of Windows-1252,
 * quoted fields, several line ends, repeated ids, wrong lines of every reason, blank lines, blanks around fields.
 */
export class Sample {
  readonly counts: Counts = {
    ...{ lines: 0, blank: 0, rejected: 0, accepted: 0, created: 0, repeated: 0, conflicting: 0, unverified: 0 },
    reasons: Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<Reason, number>,
    bytes: 0,
  };
  readonly #debts: Debts;
  readonly #below: Below;
  readonly #remembered: Debt[] = [];
  /** Of the line before. */
  #end = '\n';

  constructor(private readonly options: Pick<Options, 'lines' | 'seed' | 'plain'>) {
    this.#debts = new Debts(options.seed);
    this.#below = this.#debts.below;
  }

  *pieces(): Generator<Buffer> {
    const { lines, plain } = this.options;
    const write = plain ? () => this.#plainLine() : () => this.#line();
    yield this.#piece([`${plain ? '' : BOM}${HEADER}\n`]);
    while (this.counts.lines < lines) {
      const length = Math.min(LINES_A_PIECE, lines - this.counts.lines);
      yield this.#piece(Array.from({ length }, write));
    }
  }

  #piece(lines: string[]): Buffer {
    const piece = Buffer.from(lines.join(''), 'latin1');
    this.counts.bytes += piece.length;
    return piece;
  }

  #plainLine(): string {
    const debt = this.#created();
    this.counts.lines++;
    return `${plainly(debt).join(',')}\n`;
  }

  #line(): string {
    const kind = SHOWN_FIRST[this.counts.lines] ?? this.#kind();
    this.counts.lines++;
    if (kind === 'blank') return this.#blank();
    const text = this.#text(kind);
    this.#end = this.#lineEnd();
    return text + this.#end;
  }

  #kind(): Kind {
    const chance = this.#below(1_000);
    if (chance < BLANK) return 'blank';
    if (chance < BLANK + REPEATED) return 'repeated';
    if (chance < BLANK + REPEATED + CONFLICTING) return 'conflicting';
    return chance < BLANK + REPEATED + CONFLICTING + WRONG ? this.#one(REASONS) : 'debt';
  }

  /** After a line that ends in CR a LF alone would be the second half of its end, and no line. */
  #blank(): string {
    this.counts.blank++;
    this.#end = this.#end === '\r' ? '\r\n' : '\n';
    return this.#end;
  }

  #text(kind: Exclude<Kind, 'blank'>): string {
    const { counts } = this;
    if (kind === 'debt') return this.#freely(this.#created());
    if (kind === 'repeated' || kind === 'conflicting') {
      counts.accepted++;
      counts[kind]++;
      const debt = this.#one(this.#remembered);
      return this.#freely(kind === 'repeated' ? debt : { ...debt, cents: debt.cents + 1 });
    }
    counts.rejected++;
    counts.reasons[kind]++;
    const debt = this.#debts.next();
    return wrongLine(kind, plainly(debt), debt, this.#below);
  }

  #created(): Debt {
    const debt = this.#debts.next();
    const remembered = this.#remembered;
    if (!this.options.plain && this.#below(10) === 0) debt.name = this.#one(QUOTED_NAMES);
    if (remembered.length < REMEMBERED) remembered.push(debt);
    else if (this.#below(100) === 0) remembered[this.#below(REMEMBERED)] = debt;
    this.counts.accepted++;
    this.counts.created++;
    if (!debt.isVerified) this.counts.unverified++;
    return debt;
  }

  /** One of the ways in which a line may say the same debt. */
  #freely(debt: Debt): string {
    const below = this.#below;
    const fields = plainly(debt);
    if (below(15) === 0) fields[0] = debt.name.windows1252;
    if (below(20) === 0) fields[0] = ` ${fields[0]} `.replace(/^ "(.*)" $/, '"$1"');
    if (below(10) === 0) fields[1] = withPoints(debt.document);
    if (below(10) === 0) fields[3] = `"${fields[3].replace('.', ',')}"`;
    else if (debt.cents % 10 === 0) fields[3] = fields[3].slice(0, -1);
    if (below(20) === 0) fields[5] = debt.id.toUpperCase();
    if (below(10) === 0) fields[5] = ` ${fields[5]}  `;
    return fields.join(',');
  }

  #lineEnd(): string {
    const chance = this.#below(100);
    return chance === 0 ? '\r' : chance < 30 ? '\r\n' : '\n';
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }
}

function plainly({ name, document, email, cents, dueOn, id }: Debt): Fields {
  const rest = cents % CENTS;
  return [name.utf8, document, email, `${Math.floor(cents / CENTS)}.${rest < 10 ? '0' : ''}${rest}`, dueOn, id];
}

/** As people write a CPF and a CNPJ. */
function withPoints(document: string): string {
  return document.length === CPF_LENGTH
    ? document.replace(/^(.{3})(.{3})(.{3})/, '$1.$2.$3-')
    : document.replace(/^(.{2})(.{3})(.{3})(.{4})/, '$1.$2.$3/$4-');
}
