import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sample } from '../../infra/local/sample/sample.js';

/** A CSV of valid debts, each with an id of its own. */
export interface DebtsFile {
  path: string;
  /** In bytes. */
  size: number;
  lines: number;
  remove(): void;
}

/** A file as `npm run billing:sample -- <lines> --plain` makes it. Another seed makes other debts. */
export function debtsFile(lines: number, seed = 1): DebtsFile {
  const folder = mkdtempSync(join(tmpdir(), 'disparo-bench-'));
  const path = join(folder, 'debts.csv');
  const sample = new Sample({ lines, seed, plain: true });
  const file = openSync(path, 'w');
  for (const piece of sample.pieces()) writeSync(file, piece);
  closeSync(file);
  return { path, size: sample.counts.bytes, lines, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
