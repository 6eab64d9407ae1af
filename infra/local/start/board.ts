import { stripVTControlCharacters } from 'node:util';
import { interactive } from '../supervise/terminal.js';

const UP = (rows: number) => `\x1b[${rows}A`;
const CLEAR_BELOW = '\r\x1b[J';
const WIDTH = 80;

/** A terminal whose last lines change in place, while others scroll above them. Not on a terminal, these are not shown. */
export class Board {
  #live: readonly string[] = [];

  constructor(
    /** Whether it is a terminal, where lines can be overwritten. */
    readonly writesOver = interactive,
    private readonly write: (text: string) => void = (text) => process.stdout.write(text),
  ) {}

  /** A line that stays. */
  line(text: string): void {
    this.#over([text], this.#live);
  }

  /** Replaces the lines that change. */
  show(live: readonly string[]): void {
    if (this.writesOver && live.join('\n') !== this.#live.join('\n')) this.#over([], live);
  }

  /** Leaves all lines as they are: from now on others may write. */
  settle(): void {
    this.#live = [];
  }

  #over(lines: readonly string[], live: readonly string[]): void {
    const rows = this.#live.reduce((sum, line) => sum + rowsOf(line), 0);
    this.#live = live;
    const text = [...lines, ...live].join('\n');
    const erased = rows === 0 ? '' : `${UP(rows)}${CLEAR_BELOW}`;
    this.write(`${erased}${text}${lines.length + live.length === 0 ? '' : '\n'}`);
  }
}

/** How many rows of the terminal a line takes. */
function rowsOf(line: string): number {
  const width = process.stdout.columns ?? WIDTH;
  return Math.max(1, Math.ceil(stripVTControlCharacters(line).length / width));
}
