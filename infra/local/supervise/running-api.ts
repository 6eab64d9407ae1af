import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCommand } from '../../../services/process.js';

function folderOf(root: string): string {
  return join(root, '.local', 'apis');
}

/** Notes where the API of this command listens, until the process ends; `npm run postman` looks there. */
export function announceApi(base: string, root = process.cwd()): void {
  mkdirSync(folderOf(root), { recursive: true });
  const file = join(folderOf(root), String(process.pid));
  writeFileSync(file, base);
  process.on('exit', () => rmSync(file, { force: true }));
}

/** Where the APIs of this clone's living commands listen, the newest first. Removes the notes of killed commands. */
export function runningApis(root = process.cwd(), isOurs = isCommand): string[] {
  const found: { base: string; since: number }[] = [];
  for (const name of noted(folderOf(root))) {
    const file = join(folderOf(root), name);
    try {
      if (isOurs(Number(name))) found.push({ base: readFileSync(file, 'utf8'), since: statSync(file).mtimeMs });
      else rmSync(file, { force: true });
    } catch {
      // Its command has just ended and removed the note.
    }
  }
  return found.sort((one, other) => other.since - one.since).map(({ base }) => base);
}

function noted(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
