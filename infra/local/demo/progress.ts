import { colour, interactive, say } from '../supervise/terminal.js';

const BAR = 30;
const LABEL = 10;
const REDRAW_MS = 60;
/** Not on a terminal: a line at each tenth, or after this time without a line. */
const STEP = 0.1;
const LINE_MS = 5_000;

/** `fraction` (0 to 1) as a bar of `width` blocks and in per cent, both rounded down. */
export function bar(fraction: number, width: number): string {
  const full = Math.min(width, Math.floor(fraction * width));
  const percent = `${Math.min(100, Math.floor(fraction * 100))}%`.padStart(4);
  return `${colour('green', '█'.repeat(full))}${colour('dim', '░'.repeat(width - full))} ${percent}`;
}

/** A bar that is redrawn in place on a terminal, and an occasional line elsewhere. */
export class Progress {
  #drawnAt = 0;
  #drawn = -1;
  #open = false;

  constructor(readonly label: string) {}

  /** Draws `fraction` (0 to 1) as a bar with `text` behind it. */
  update(fraction: number, text: string): void {
    const now = Date.now();
    const last = fraction >= 1;
    if (interactive ? !last && now - this.#drawnAt < REDRAW_MS : !this.#worthALine(fraction, now)) return;
    this.#drawnAt = now;
    this.#drawn = fraction;
    const line = `${this.label.padEnd(LABEL)} ${bar(fraction, BAR)}  ${text}`;
    process.stdout.write(interactive ? `\r\x1b[K${line}` : `${line}\n`);
    this.#open = interactive;
  }

  /** Leaves the bar as it is and goes to the next line. */
  end(): void {
    if (this.#open) say('');
    this.#open = false;
  }

  #worthALine(fraction: number, now: number): boolean {
    if (this.#drawn >= 1) return false;
    return fraction >= 1 || fraction - this.#drawn >= STEP || now - this.#drawnAt >= LINE_MS;
  }
}
