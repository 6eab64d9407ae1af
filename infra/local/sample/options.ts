import { parseArgs } from 'node:util';
import { CommandError } from '../../../services/command-error.js';

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
    lines: whole('the number of lines', lines, 1, MOST_LINES),
    seed: whole('--seed', values.seed ?? '1', 0, MOST_SEED),
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

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= most) return value;
  throw new CommandError(
    `${name} must be a whole number from ${least} to ${most.toLocaleString('en')}, and not "${text}"`,
  );
}
