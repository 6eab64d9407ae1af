import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';

/** The names of the functions in serverless.yml, which are also the names of the files with their handlers. */
export function functionNames(): string[] {
  const { functions } = load(readFileSync('serverless.yml', 'utf8')) as { functions: object };
  return Object.keys(functions);
}
