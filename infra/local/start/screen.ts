import { readEnvironment } from '@disparo/contract';
import { prettyLine } from '../supervise/log-line.js';
import { type Colour, colour } from '../supervise/terminal.js';
import { Board } from './board.js';
import { CampaignProgress, type Standing } from './progress.js';
import { campaignsIn, isRoutine } from './routine.js';

/** With these LOG_LEVELs every line of the children is shown. */
const VERBOSE = new Set(['debug', 'trace']);

/** The output of `npm start`: what its children log out of the ordinary, and campaigns' progress in place of the rest. */
export class Screen {
  readonly #progress: CampaignProgress;

  constructor(
    ask: (ids: string[]) => Promise<Standing[]>,
    /** The length of the longest name. */
    private readonly width: number,
    private readonly verbose = VERBOSE.has(readEnvironment().LOG_LEVEL ?? ''),
    readonly board = new Board(),
  ) {
    this.#progress = new CampaignProgress(ask, board, this.#prefix('campaign', 'green'));
  }

  /** Returns a function that takes the lines of one child. */
  printer(name: string, style: Colour): (line: string) => void {
    const prefix = this.#prefix(name, style);
    return (line) => {
      if (line.trim() === '') return;
      if (this.verbose || !isRoutine(line)) this.board.line(`${prefix}${prettyLine(line)}`);
      if (!this.verbose) this.#progress.heard(campaignsIn(line));
    };
  }

  /** Stops following campaigns. */
  close(): void {
    this.#progress.close();
    this.board.settle();
  }

  #prefix(name: string, style: Colour): string {
    return `${colour(style, `${name.padEnd(this.width)} |`)} `;
  }
}
