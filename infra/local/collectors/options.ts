import { parseArgs } from 'node:util';
import { CommandError } from '../../../services/command-error.js';

/** What the command line of `npm run collectors` says. */
export interface Options {
  ispb: string;
  /** Collectors; the API lets six collect. */
  n: number;
  /** One message an answer, or up to ten. */
  form: 'json' | 'multipart';
  /** The share of answers that are lost on their way, 0 to 0.9. */
  crash: number;
  /** The addresses of the API's processes; none: the one that runs. */
  urls: readonly string[];
  /** The api_key of the ISPB. */
  key: string | undefined;
}

const USAGE =
  'usage: npm run collectors -- --ispb digits [--n 1 to 100: 6] [--form json | multipart: json] [--crash 0 to 0.9: 0] [--url http://host:port ...] [--key api_key]';
const COLLECTORS = '6';
const MOST_COLLECTORS = 100;
/** With 1 no answer would ever arrive. */
const MOST_CRASHES = 0.9;

/** Reads the command line. Throws CommandError. */
export function parseOptions(args: string[]): Options {
  const { ispb, n = COLLECTORS, form = 'json', crash = '0', url: urls = [], key } = parsed(args);
  if (ispb === undefined) throw new CommandError(USAGE);
  if (!/^\d{8}$/.test(ispb)) throw new CommandError(`--ispb must be eight digits, and not "${ispb}"`);
  if (form !== 'json' && form !== 'multipart')
    throw new CommandError(`--form must be json or multipart, and not "${form}"`);
  const collectors = /^\d{1,3}$/.test(n) ? Number(n) : 0;
  if (collectors < 1 || collectors > MOST_COLLECTORS)
    throw new CommandError(`--n must be a whole number from 1 to ${MOST_COLLECTORS}, and not "${n}"`);
  const share = /^\d(\.\d{1,10})?$/.test(crash) ? Number(crash) : -1;
  if (share < 0 || share > MOST_CRASHES)
    throw new CommandError(`--crash must be a number from 0 to ${MOST_CRASHES}, and not "${crash}"`);
  return { ispb, n: collectors, form, crash: share, urls, key };
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = {
      ispb: text,
      n: text,
      form: text,
      crash: text,
      key: text,
      url: { ...text, multiple: true },
    } as const;
    return parseArgs({ args, options }).values;
  } catch {
    throw new CommandError(USAGE);
  }
}
