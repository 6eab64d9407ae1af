import { parseArgs } from 'node:util';
import { CommandError } from '../../../services/command-error.js';
import { wholeNumber } from '../whole-number.js';

/** What the command line of `npm run billing:sample` says. */
export interface Options {
  /** Lines under the header, blank ones and wrong ones too. */
  lines: number;
  /** The same seed makes the same bytes. */
  seed: number;
  /** Valid lines only, each a debt of its own, and all written alike. */
  plain: boolean;
  /** A file, as the person has typed it; undefined: standard output. */
  out: string | undefined;
}

const USAGE = 'usage: npm run --silent billing:sample -- lines [--seed n] [--plain] [--out file]';
const MOST_LINES = 10_000_000;
const MOST_SEED = 2 ** 31 - 1;

/** Reads the command line. Throws CommandError. */
export function parseOptions(args: string[]): Options {
  const { values, positionals } = parsed(args);
  const [lines, ...more] = positionals;
  if (lines === undefined || more.length > 0 || values.out === '') throw new CommandError(USAGE);
  return {
    lines: wholeNumber('the number of lines', lines, 1, MOST_LINES),
    seed: wholeNumber('--seed', values.seed ?? '1', 0, MOST_SEED),
    plain: values.plain ?? false,
    out: values.out,
  };
}

function parsed(args: string[]) {
  const options = { seed: { type: 'string' }, plain: { type: 'boolean' }, out: { type: 'string' } } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch {
    throw new CommandError(USAGE);
  }
}
