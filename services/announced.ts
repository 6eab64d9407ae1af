import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function folderOf(kind: string, root: string): string {
  return join(root, '.local', kind);
}

/** Notes for other commands of this clone what this process has, until it ends: a file of its number in `.local/<kind>`. */
export function announce(kind: string, text: string, root = process.cwd()): void {
  mkdirSync(folderOf(kind, root), { recursive: true });
  const file = join(folderOf(kind, root), String(process.pid));
  writeFileSync(file, text);
  process.on('exit', () => rmSync(file, { force: true }));
}

/** What living processes have noted, the newest first. `isOurs`: by its number. Removes the notes of killed ones. */
export function announced(kind: string, root: string, isOurs: (pid: number) => boolean): string[] {
  const found: { text: string; since: number }[] = [];
  for (const name of noted(folderOf(kind, root))) {
    const file = join(folderOf(kind, root), name);
    try {
      if (isOurs(Number(name))) found.push({ text: readFileSync(file, 'utf8'), since: statSync(file).mtimeMs });
      else rmSync(file, { force: true });
    } catch {
      // Its process has just ended and removed the note.
    }
  }
  return found.sort((one, other) => other.since - one.since).map(({ text }) => text);
}

function noted(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
