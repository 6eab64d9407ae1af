import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readEnvironment } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';

/** A file that the demo sends. */
export interface InputFile {
  path: string;
  /** As the person has typed it. */
  name: string;
  /** In bytes. */
  size: number;
}

/** The file of this name, which is relative to the folder where the person typed the command. Throws CommandError. */
export async function inputFile(name: string): Promise<InputFile> {
  const path = resolve(readEnvironment().INIT_CWD ?? process.cwd(), name);
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new CommandError(`${name}: there is no such file`);
  if (!found.isFile()) throw new CommandError(`${name} is not a file`);
  if (found.size === 0) throw new CommandError(`${name} is empty`);
  await access(path, constants.R_OK).catch(() => {
    throw new CommandError(`${name} may not be read by this user`);
  });
  return { path, name, size: found.size };
}

/** A number of bytes for people. */
export function megabytes(bytes: number): string {
  return bytes < 1_000_000 ? `${bytes.toLocaleString('en')} bytes` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
