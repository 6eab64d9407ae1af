import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CommandError } from '../../../services/command-error.js';
import { wholeNumber } from '../whole-number.js';
import { TYPES } from './types.js';

/** What the command line of `npm run producers` says. */
export interface Options {
  /** Names of types, each once. */
  types: readonly string[];
  /** Events a second, all types together. */
  rate: number;
  /** The share of messages that are no events, 0 to 1. */
  bad: number;
  /** The share of messages that are an earlier event once more, 0 to 1. */
  duplicate: number;
  /** Messages in all; Infinity: until it is stopped. */
  count: number;
  /** All but ids and times follows from it. */
  seed: number;
  to: 'rabbitmq' | 'sqs' | 'http';
  check: boolean;
  /** The address of the API; undefined: the one that runs. */
  url: string | undefined;
}

const USAGE =
  'usage: npm run producers -- [monitor-app] [user-app] [transaction-app] [--rate n] [--bad share] [--duplicate share] [--count n] [--seed n] [--http | --sqs] [--check] [--url http://host:port]';
const RATE = 30;
const MOST_RATE = 1_000_000;
const MOST_COUNT = 100_000_000;
const MOST_SEED = 2 ** 31 - 1;

/** Reads the command line. Without names: all types. Throws CommandError. */
export function parseOptions(args: string[]): Options {
  const { values, positionals } = parsed(args);
  const unknown = positionals.find((name, at) => !Object.hasOwn(TYPES, name) || positionals.indexOf(name) !== at);
  if (unknown !== undefined || (values.http && values.sqs)) throw new CommandError(USAGE);
  const bad = number('--bad', values.bad ?? '0', 0, 1);
  return {
    types: positionals.length > 0 ? positionals : Object.keys(TYPES),
    rate: number('--rate', values.rate ?? String(RATE), Number.MIN_VALUE, MOST_RATE),
    bad,
    duplicate: number('--duplicate', values.duplicate ?? '0', 0, 1 - bad),
    count: values.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--count', values.count, 1, MOST_COUNT),
    seed: values.seed === undefined ? randomInt(MOST_SEED) : wholeNumber('--seed', values.seed, 0, MOST_SEED),
    to: values.http ? 'http' : values.sqs ? 'sqs' : 'rabbitmq',
    check: values.check ?? false,
    url: values.url,
  };
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    ...{ rate: text, bad: text, duplicate: text, count: text, seed: text, url: text },
    ...{ http: flag, sqs: flag, check: flag },
  };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch {
    throw new CommandError(USAGE);
  }
}

function number(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}(\.\d{1,10})?$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= most) return value;
  const from = least === 0 ? 'from 0 to' : 'over 0 and at most';
  throw new CommandError(`${name} must be a number ${from} ${most.toLocaleString('en')}, and not "${text}"`);
}
