import { readEnvironment } from '@disparo/contract';
import { prettyLine } from '../supervise/log-line.js';
import { type Colour, colour } from '../supervise/terminal.js';
import { Board } from './board.js';
import { CampaignProgress, type Standing } from './progress.js';
import { campaignsIn, isRoutine } from './routine.js';

/** With these LOG_LEVELs the lines of the children come as they are. */
const VERBOSE = new Set(['debug', 'trace']);

/** What is shown of the children of `npm start`: what is out of the ordinary, and how far campaigns are in place of the rest. */
export class Screen {
  readonly #progress: CampaignProgress;

  constructor(
    ask: (ids: string[]) => Promise<Standing[]>,
    /** Of the longest name. */
    private readonly width: number,
    private readonly verbose = VERBOSE.has(readEnvironment().LOG_LEVEL ?? ''),
    readonly board = new Board(),
  ) {
    this.#progress = new CampaignProgress(ask, board, this.#prefix('campaign', 'green'));
  }

  /** Takes the lines of one child. */
  printer(name: string, style: Colour): (line: string) => void {
    const prefix = this.#prefix(name, style);
    return (line) => {
      if (line.trim() === '') return;
      if (this.verbose || !isRoutine(line)) this.board.line(`${prefix}${prettyLine(line)}`);
      if (!this.verbose) this.#progress.heard(campaignsIn(line));
    };
  }

  /** No campaign is followed any more. */
  close(): void {
    this.#progress.close();
    this.board.settle();
  }

  #prefix(name: string, style: Colour): string {
    return `${colour(style, `${name.padEnd(this.width)} |`)} `;
  }
}
