import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readEnvironment } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { type Options, parseOptions } from './sample/options.js';
import { Sample } from './sample/sample.js';

/**
 * `npm run billing:sample -- 1000000 [--seed n] [--plain] [--out file]`: writes a CSV of debts for an import, to standard
 * output or to a file, and on standard error how many lines of each kind it has. Returns the exit code.
 */
export default async function sample(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const made = new Sample(options);
  await write(made, options);
  process.stderr.write(`${JSON.stringify(made.counts)}\n`);
  return 0;
}

/** The path is relative to the folder where the person typed the command. Throws CommandError. */
async function write(made: Sample, { out }: Options): Promise<void> {
  const pieces = Readable.from(made.pieces());
  if (out === undefined) {
    await pipeline(pieces, process.stdout, { end: false }).catch((error: NodeJS.ErrnoException) => {
      // The reader has seen enough, as in `npm run billing:sample -- 1000 | head`.
      if (error.code !== 'EPIPE') throw error;
    });
    return;
  }
  const path = resolve(readEnvironment().INIT_CWD ?? process.cwd(), out);
  await pipeline(pieces, createWriteStream(path)).catch((error: Error) => {
    throw new CommandError(`${out} cannot be written: ${error.message}`);
  });
}
