import { readFileSync, writeFileSync } from 'node:fs';
import type { Answers } from './answers.js';
import { collectionOf, environmentOf } from './collection.js';
import type { Contract } from './contract.js';
import { insomniaOf, type PostmanCollection } from './insomnia.js';

/** Path from the root of the clone, as are all paths here. */
export const COLLECTION_FILE = 'postman/disparo.postman_collection.json';
export const ENVIRONMENT_FILE = 'postman/disparo.local.postman_environment.json';
/** What Insomnia imports: the same requests. */
export const INSOMNIA_FILE = 'postman/disparo.insomnia.json';
const ANSWERS_FILE = 'postman/build/answers.json';

/** The text of each built file, by its path. */
export function built(contract: Contract, answers = readAnswers()): Record<string, string> {
  const collection = collectionOf(contract, answers);
  return {
    [COLLECTION_FILE]: written(collection),
    [ENVIRONMENT_FILE]: written(environmentOf()),
    [INSOMNIA_FILE]: written(insomniaOf(collection as unknown as PostmanCollection)),
  };
}

/** The answers of the last recording. */
export function readAnswers(): Answers {
  return JSON.parse(readFileSync(ANSWERS_FILE, 'utf8')) as Answers;
}

/** Keeps the answers of a run for the next build. */
export function writeAnswers(answers: Answers): void {
  writeFileSync(ANSWERS_FILE, written(answers));
}

/** Writes the files that changed. Returns their paths. */
export function write(files: Record<string, string>): string[] {
  const different = outOfDate(files);
  for (const path of different) writeFileSync(path, files[path] ?? '');
  return different;
}

/** The paths of files whose text differs from what would be built. */
export function outOfDate(files: Record<string, string>): string[] {
  return Object.keys(files).filter((path) => readIfThere(path) !== files[path]);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function written(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
