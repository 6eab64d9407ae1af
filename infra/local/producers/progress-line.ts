import { interactive, say } from '../supervise/terminal.js';

/** A line about what goes on: redrawn in place on a terminal, one after the other elsewhere. */
export class ProgressLine {
  #open = false;

  update(text: string): void {
    process.stdout.write(interactive ? `\r\x1b[K${text}` : `${text}\n`);
    this.#open = interactive;
  }

  /** A line that stays, below what is drawn. */
  say(text: string): void {
    this.end();
    say(text);
  }

  /** Leaves the line as it is and goes to the next one. */
  end(): void {
    if (this.#open) say('');
    this.#open = false;
  }
}
