import { bar } from '../demo/progress.js';
import type { Board } from './board.js';

/** A campaign as the ledger has it now. */
export interface Standing {
  id: string;
  status: string;
  total: number;
  stored: number;
  deleted: boolean;
}

const BAR = 20;
/** A small campaign is sent by then, and so takes only one line. */
const FIRST_READ_MS = 300;
const NEXT_READ_MS = 1_000;
/** Further campaigns are reported only by their last line. */
const SHOWN = 5;
const REMEMBERED = 10_000;
const AT_REST = new Set(['enviado', 'cancelado', 'pausado']);

/**
 * Reports how far campaigns are, by the ledger. On a terminal each has a line that changes in place, elsewhere a line when
 * it is first seen. A last line follows when it is sent, paused, cancelled or deleted.
 */
export class CampaignProgress {
  readonly #followed = new Map<string, Standing | undefined>();
  /** The last line of campaigns that are no longer followed, so that a batch that comes twice does not repeat it. */
  readonly #lastLines = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    /** Rejects when the ledger cannot be asked; it is asked again. */
    private readonly ask: (ids: string[]) => Promise<Standing[]>,
    private readonly board: Board,
    private readonly prefix = '',
  ) {}

  /** To be called when something happened to these campaigns: they are followed from now on. */
  heard(ids: readonly string[]): void {
    // A consumer that drains still logs.
    if (this.#closed) return;
    for (const id of ids) if (!this.#followed.has(id)) this.#followed.set(id, undefined);
    if (ids.length > 0) this.#timer ??= setTimeout(() => this.#refresh(), FIRST_READ_MS);
  }

  /** Stops following. The last lines on the board stay. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#followed.clear();
  }

  async #refresh(): Promise<void> {
    const asked = [...this.#followed.keys()];
    const found = await this.ask(asked).catch(() => undefined);
    if (found)
      for (const id of asked)
        this.#report(
          id,
          found.find((each) => each.id === id),
        );
    const live = [...this.#followed.values()].filter((each) => each !== undefined).slice(0, SHOWN);
    this.board.show(live.map((each) => `${this.prefix}${each.id} ${barOf(each)}`));
    this.#timer = this.#followed.size === 0 ? undefined : setTimeout(() => this.#refresh(), NEXT_READ_MS);
  }

  #report(id: string, now: Standing | undefined): void {
    if (!this.#followed.has(id)) return;
    const first = this.#followed.get(id) === undefined;
    const ends = !now || now.deleted || AT_REST.has(now.status);
    if (!ends) {
      this.#followed.set(id, now);
      this.#lastLines.delete(id);
      if (first && !this.board.writesOver) this.board.line(`${this.prefix}${clock()} info  ${inWords(now)}`);
      return;
    }
    this.#followed.delete(id);
    if (!now || this.#lastLines.get(id) === inWords(now)) return;
    if (this.#lastLines.size >= REMEMBERED) this.#lastLines.clear();
    this.#lastLines.set(id, inWords(now));
    this.board.line(`${this.prefix}${clock()} info  ${inWords(now)}`);
  }
}

function inWords({ id, status, total, stored, deleted }: Standing): string {
  return `campaign ${id} ${deleted ? 'deleted' : status}: ${count(stored)} of ${count(total)} messages stored`;
}

function barOf({ status, total, stored }: Standing): string {
  return `${status.padEnd('enfileirado'.length)} ${bar(stored / total, BAR)}  ${count(stored)} of ${count(total)}`;
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}

function count(of: number): string {
  return of.toLocaleString('en');
}
