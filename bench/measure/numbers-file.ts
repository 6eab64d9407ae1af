import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { phoneNumber } from '../../testing/seeds.js';

const LINES_A_WRITE = 10_000;

/** What the lines of a file are: `right`, all different numbers; `wrong`, none a number but the last. */
export type LineKind = 'right' | 'wrong';

/** A file, its size in bytes, and how to remove it. */
interface LinesFile {
  path: string;
  size: number;
  remove(): void;
}

/** A file of `numbers` different numbers, one a line. */
export function numbersFile(numbers: number): LinesFile {
  return linesFile(numbers, 'right');
}

/** A file of `lines` lines of one kind. */
export function linesFile(lines: number, kind: LineKind): LinesFile {
  const lineOf = (line: number) => (kind === 'right' || line === lines ? phoneNumber(line) : 'x');
  const folder = mkdtempSync(join(tmpdir(), 'disparo-bench-'));
  const path = join(folder, 'numbers.txt');
  const file = openSync(path, 'w');
  for (let first = 1; first <= lines; first += LINES_A_WRITE) {
    const length = Math.min(LINES_A_WRITE, lines - first + 1);
    writeSync(file, Array.from({ length }, (_, index) => `${lineOf(first + index)}\n`).join(''));
  }
  closeSync(file);
  return { path, size: statSync(path).size, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
