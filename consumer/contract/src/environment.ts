import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';

/** The nearest folder at or above `from` that holds `.env.example`: the root of the clone. Undefined outside of one. */
export function findRoot(from: string = process.cwd()): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.env.example'))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/**
 * The one configuration of every app, first found wins: environment, `.env` at the root, `.local/services.env`
 * (written by the local services). An empty value means unset, in each of the three.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env, root = findRoot()): Record<string, string> {
  const files = root ? [join(root, '.local', 'services.env'), join(root, '.env')] : [];
  const layers = [...files.filter((file) => existsSync(file)).map((file) => parseEnv(readFileSync(file, 'utf8'))), env];
  const merged: Record<string, string> = {};
  for (const layer of layers)
    for (const [key, value] of Object.entries(layer)) if (value !== undefined && value !== '') merged[key] = value;
  return merged;
}
