import { parseArgs } from 'node:util';
import { LANGUAGE_NAMES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../services/command-error.js';

/** What can be measured, in the order of a run. */
export const PARTS = [
  'naive',
  'drain',
  'upload',
  'end-to-end',
  'health',
  'partitions',
  'routines',
  'contacts',
  'events',
  'pix',
  'billing',
] as const;

/** The name of a part, as `--only` takes it. */
export type Part = (typeof PARTS)[number];

/** A size and how often it is measured; the table shows the median. */
export interface Size {
  numbers: number;
  rounds: number;
}

/** What a run of the bench measures. */
export interface Plan {
  /** Stands in the names of the result files; empty for the default plan. */
  name: '' | 'quick' | 'full' | 'part';
  parts: readonly Part[];
  languages: readonly LanguageName[];
  /** The languages whose consumer is started, and so must be built. */
  consumers: readonly LanguageName[];
  /** Drained from a full queue by one consumer. */
  drains: readonly Size[];
  /** Drained by the first language only, as the others would take long. */
  largest: readonly Size[];
  uploads: readonly Size[];
  endToEnd: readonly Size[];
  /** Files that are read while others call /api/health: of wrong lines, and of right ones. */
  wrongLines: readonly Size[];
  rightLines: readonly Size[];
  /** Sizes that the naive pair is measured with. A ratio to naive names its size. */
  naive: readonly Size[];
  /** Counts of queues, each queue with one consumer. They share `partitionNumbers` numbers. */
  partitions: readonly number[];
  partitionNumbers: number;
  /** `atMost`: items that each way of a routine does, or its own usual number where that is less. */
  routines: { atMost: number; rounds: number };
  /** Users that are sent to `POST /api/user`, and users that wait for the loop. */
  contacts: { users: number; waiting: number; rounds: number };
  /** Messages that the processor of events drains, and that naive does. */
  events: { messages: number; naive: number; rounds: number };
  /** Messages of Pix that are drained, and the largest number that is made at once. */
  pix: { messages: number; made: number; rounds: number };
  /** Lines of a file of debts, of one whose boletos are made, and of one whose mails are sent. */
  billing: { lines: number; issued: number; mailed: number; rounds: number };
}

const USAGE = `npm run bench [-- --quick | --full] [--only=${PARTS.join(',')}] [--languages=${LANGUAGE_NAMES.join(',')}] [--at-most=numbers]`;

/** Small sizes take milliseconds, and a busy machine disturbs them: uploads of these are measured more often. */
const DRAINS = [size(10_000, 3), size(100_000, 3), size(1_000_000, 3)];
const UPLOADS = [size(5, 5), size(1_000, 5), size(100_000, 3), size(1_000_000, 3)];
const END_TO_END = [size(100_000, 1), size(1_000_000, 3)];
/** Wrong lines are read fast, so a quick run has them too. */
const WRONG_LINES = [size(400_000, 1), size(1_000_000, 1), size(4_000_000, 1)];
const QUICK_WRONG_LINES = WRONG_LINES.slice(0, 1);
const RIGHT_LINES = [size(100_000, 1), size(1_000_000, 1)];
const LARGEST = [size(10_000_000, 1)];
/** Naive does about 1,000 a second. The size of a drain takes it minutes, so a quick run has only the small size. */
const NAIVE = [size(2_000, 3), size(100_000, 1)];
const PARTITION_NUMBERS = 400_000;
const ROUTINE_ROUNDS = 3;
const CONTACTS = { users: 100_000, quickUsers: 20_000, waitingPart: 0.5, rounds: 3 };
const EVENTS = { messages: 100_000, quickMessages: 20_000, naive: 10_000, rounds: 3 };
const PIX = { messages: 30_000, quickMessages: 10_000, made: 1_000_000, rounds: 3 };
const BILLING = { lines: 1_000_000, quickLines: 100_000, issued: 100_000, mailed: 4_000, rounds: 3 };
/** Measured only where they are named: what they compare is no part of the way of a campaign. */
const NAMED_ONLY: ReadonlySet<Part> = new Set(['pix', 'billing']);
/** A quick run leaves out 1,000,000 and more, and whatever else takes minutes. */
const QUICK = { atMost: 100_000, naiveAtMost: 2_000, without: 'routines' };

const WITH_CONSUMER: ReadonlySet<Part> = new Set(['drain', 'end-to-end', 'partitions']);

/**
 * Rust is first where it is chosen, as `largest` and `partitions` take the first language only. Of its time the queue is
 * the smallest part.
 */
const ORDER: readonly LanguageName[] = ['rust', 'go', 'typescript'];

function size(numbers: number, rounds: number): Size {
  return { numbers, rounds };
}

/** The plan that the arguments ask for. Throws CommandError. */
export function parsePlan(args: string[]): Plan {
  const values = parse(args);
  const only = among(values.only, PARTS, '--only');
  const languages = among(values.languages, LANGUAGE_NAMES, '--languages');
  const atMost = values['at-most'] === undefined ? undefined : wholeNumber(values['at-most']);
  const limit = Math.min(atMost ?? Number.POSITIVE_INFINITY, values.quick ? QUICK.atMost : Number.POSITIVE_INFINITY);
  const usual = (part: Part) => !(NAMED_ONLY.has(part) || (values.quick && part === QUICK.without));
  const parts = PARTS.filter((part) => only?.includes(part) ?? usual(part));
  const chosen = ORDER.filter((language) => languages?.includes(language) ?? true);
  const isPart = only !== undefined || languages !== undefined || atMost !== undefined;
  return {
    name: isPart ? 'part' : values.quick ? 'quick' : values.full ? 'full' : '',
    parts,
    languages: chosen,
    consumers: parts.some((part) => WITH_CONSUMER.has(part)) ? chosen : [],
    drains: upTo(limit, DRAINS),
    largest: values.full ? upTo(limit, LARGEST) : [],
    uploads: upTo(limit, UPLOADS),
    endToEnd: upTo(limit, END_TO_END),
    wrongLines: upTo(atMost ?? Number.POSITIVE_INFINITY, values.quick ? QUICK_WRONG_LINES : WRONG_LINES),
    rightLines: [...upTo(limit, RIGHT_LINES), ...(values.full ? upTo(limit, LARGEST) : [])],
    naive: upTo(values.quick ? Math.min(limit, QUICK.naiveAtMost) : limit, NAIVE),
    partitions: [1, 2, 4],
    partitionNumbers: Math.min(limit, PARTITION_NUMBERS),
    routines: { atMost: limit, rounds: ROUTINE_ROUNDS },
    contacts: contactsUpTo(values.quick ? Math.min(limit, CONTACTS.quickUsers) : limit),
    events: eventsUpTo(values.quick ? Math.min(limit, EVENTS.quickMessages) : limit),
    pix: pixUpTo(values.quick ? Math.min(limit, PIX.quickMessages) : limit),
    billing: billingUpTo(values.quick ? Math.min(limit, BILLING.quickLines) : limit),
  };
}

function eventsUpTo(limit: number): Plan['events'] {
  const { messages, naive, rounds } = EVENTS;
  return { messages: Math.min(limit, messages), naive: Math.min(limit, naive), rounds };
}

function pixUpTo(limit: number): Plan['pix'] {
  const { messages, made, rounds } = PIX;
  return { messages: Math.min(limit, messages), made: Math.min(limit, made), rounds };
}

function billingUpTo(limit: number): Plan['billing'] {
  const { lines, issued, mailed, rounds } = BILLING;
  return {
    ...{ lines: Math.min(limit, lines), issued: Math.min(limit, issued), mailed: Math.min(limit, mailed) },
    rounds,
  };
}

function contactsUpTo(limit: number): Plan['contacts'] {
  const users = Math.min(limit, CONTACTS.users);
  return { users, waiting: Math.ceil(users * CONTACTS.waitingPart), rounds: CONTACTS.rounds };
}

function parse(args: string[]) {
  const options = {
    quick: { type: 'boolean' },
    full: { type: 'boolean' },
    only: { type: 'string' },
    languages: { type: 'string' },
    'at-most': { type: 'string' },
  } as const;
  try {
    const { values } = parseArgs({ args, options });
    if (values.quick && values.full) throw new Error('one of the two');
    return values;
  } catch {
    throw new CommandError(`usage: ${USAGE}`);
  }
}

function among<T extends string>(list: string | undefined, known: readonly T[], option: string): T[] | undefined {
  if (list === undefined) return undefined;
  return list.split(',').map((word) => {
    const found = known.find((one) => one === word);
    if (found === undefined) throw new CommandError(`${option}: "${word}" is not one of ${known.join(', ')}`);
    return found;
  });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new CommandError(`--at-most: "${text}" is not a whole number above 0`);
  return Number(text);
}

/** The sizes up to a limit; one size of the limit itself where all are larger. */
function upTo(limit: number, sizes: readonly Size[]): Size[] {
  const fitting = sizes.filter(({ numbers }) => numbers <= limit);
  return fitting.length > 0 ? fitting : sizes.slice(0, 1).map(({ rounds }) => size(limit, rounds));
}
