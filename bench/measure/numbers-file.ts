import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { phoneNumber } from '../room.js';

const LINES_A_WRITE = 10_000;

/** A file of so many different numbers, one a line. */
export function numbersFile(numbers: number): { path: string; size: number; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'disparo-bench-'));
  const path = join(folder, 'numbers.txt');
  const file = openSync(path, 'w');
  for (let first = 1; first <= numbers; first += LINES_A_WRITE) {
    const length = Math.min(LINES_A_WRITE, numbers - first + 1);
    writeSync(file, Array.from({ length }, (_, index) => `${phoneNumber(first + index)}\n`).join(''));
  }
  closeSync(file);
  return { path, size: statSync(path).size, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
