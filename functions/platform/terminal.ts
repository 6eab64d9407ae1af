import { EXIT } from '@disparo/contract';

const NOT_UTF8 = /[^\x20-\x7e]/g;
/** What a terminal obeys or what changes the order of what is read: controls, format characters, separators of lines. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;
/** Control sequences of xterm: to a second screen without a cursor, and back to the first one with its content. */
const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l';
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_REST = '\x1b[J';
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Any bytes as one line of text on which no terminal acts: `\x1b`, `\u202e`; where they are no UTF-8, byte for byte. */
export function printable(bytes: Buffer): string {
  const hex = (code: number, letter: string, digits: number) => `\\${letter}${code.toString(16).padStart(digits, '0')}`;
  try {
    return strict.decode(bytes).replace(UNSEEN, (it) => {
      const code = it.codePointAt(0) ?? 0;
      if (it === '\n') return '\\n';
      return code > 0xff ? hex(code, 'u', 4) : hex(code, 'x', 2);
    });
  } catch {
    return bytes.toString('latin1').replace(NOT_UTF8, (it) => hex(it.charCodeAt(0), 'x', 2));
  }
}

/** A head and its rows as lines, each column as wide as its widest cell. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  return [head, ...rows].map((cells) => line(cells).trimEnd());
}

/** Seconds in the largest unit that fits: `3 min`. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [size, unit] = UNITS.find(([each]) => whole >= each) ?? [1, 's'];
  return `${Math.floor(whole / size)} ${unit}`;
}

/** A second screen of the terminal that standard output is, to be drawn again and again. */
export const screen = {
  enter: () => void process.stdout.write(ENTER_SCREEN),
  /** Over what was drawn before; what does not fit below is cut off. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, screenSize().rows);
    process.stdout.write(`${HOME}${shown.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_REST}`);
  },
  /** Back to the first screen, as it was. */
  leave: () => void process.stdout.write(LEAVE_SCREEN),
};

/** Lines of the screen that can be drawn, and characters of a line. */
export function screenSize(): { rows: number; width: number } {
  const { rows, columns: width } = process.stdout;
  // A terminal that does not know its size says 0. The last newline takes a line of its own.
  return { rows: (rows || Number.POSITIVE_INFINITY) - 1, width: width || Number.POSITIVE_INFINITY };
}

/** A line on standard output. Control characters but newlines are replaced. Returns the exit code of a success. */
export function print(line: string): number {
  process.stdout.write(`${line.replace(/[^\P{Cc}\n]/gu, '\ufffd')}\n`);
  return EXIT.drained;
}

/** A line on standard error. Returns the exit code of a wrong argument. */
export function refuse(line: string): number {
  process.stderr.write(`${line}\n`);
  return EXIT.configuration;
}
