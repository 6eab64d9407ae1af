import { UNUSABLE_URL } from './refusal.js';
import { QUEUE_TYPES, type QueueType } from './topology.js';
import { withStrictOptions } from './url-options.js';

/** How an app of Disparo ends (sysexits.h where it has a name). The same in every language. */
export const EXIT = {
  /** Told to stop, and everything at hand was finished. */
  drained: 0,
  /** A bug. */
  bug: 1,
  /** The grace time ran out, or a second signal came: what was at hand comes again. */
  forced: 75,
  /** Something that cannot heal by waiting: a wrong value, password, vhost, certificate, queue. */
  configuration: 78,
} as const;

/** A value that stops the start. The message is one line, names the variable and never shows a secret. */
export class ConfigurationError extends Error {
  constructor(
    readonly variable: string,
    readonly problem: string,
  ) {
    super(`${variable}: ${problem}`);
    this.name = 'ConfigurationError';
  }
}

type Environment = Record<string, string>;

/** A whole number between `min` and `max`, or the default when unset. Throws ConfigurationError. */
export function integerKey(
  env: Environment,
  key: string,
  range: { min: number; max: number; default: number },
): number {
  const text = env[key];
  if (text === undefined) return range.default;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new ConfigurationError(key, `must be a whole number from ${range.min} to ${range.max}, not "${text}"`);
}

/** A blank that is no part of a URL comes with a copy or a file, and drivers take it for a part of the last name. */
const holdsBlank = (url: string): boolean => [...url].some((character) => character <= ' ');

function urlKey(env: Environment, key: string, schemes: readonly string[]): string {
  const url = env[key];
  const wanted = schemes.map((scheme) => `${scheme}://`).join(' or ');
  if (url === undefined)
    throw new ConfigurationError(key, `is not set; give a URL that begins with ${wanted}, or run "npm run services"`);
  if (!schemes.some((scheme) => url.startsWith(`${scheme}://`)))
    throw new ConfigurationError(key, `must begin with ${wanted}`);
  // MongoDB's lists of hosts are no WHATWG URL; its driver parses those.
  if (holdsBlank(url) || (!schemes.includes('mongodb') && !isReadable(url)))
    throw new ConfigurationError(key, 'is not a URL; a password with special characters must be percent-encoded');
  return url;
}

const SERVICE_SCHEMES = {
  DATABASE_URL: ['postgresql', 'postgres'],
  MONGODB_URL: ['mongodb', 'mongodb+srv'],
  RABBITMQ_URL: ['amqp', 'amqps'],
} as const;

/**
 * The URL of one of the three services, with the options alone that the drivers of all languages take in the same way.
 * Throws ConfigurationError without showing it.
 */
export function serviceUrl(env: Environment, key: keyof typeof SERVICE_SCHEMES): string {
  const url = urlKey(env, key, SERVICE_SCHEMES[key]);
  // PostgreSQL's options are the server's own: it judges them.
  const strict = key === 'DATABASE_URL' ? url : withStrictOptions(key, url);
  if (strict === undefined) throw new ConfigurationError(key, UNUSABLE_URL);
  return strict;
}

/** The drivers decode each part and throw at a stray percent sign. */
function isReadable(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, pathname, hash } = new URL(url);
  // These come from a password that is not encoded, of which a part would then pass for a host and be shown.
  const ats = url.split('@').length - 1;
  if (hash !== '' || ats > 1 || (ats === 1 && username === '' && password === '')) return false;
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** One of a fixed list of words, or the default when unset. Throws ConfigurationError. */
function wordKey<const T extends string, D>(env: Environment, key: string, words: readonly T[], unset: D): T | D {
  const value = env[key];
  if (value === undefined) return unset;
  const word = words.find((candidate) => candidate === value);
  if (word === undefined) throw new ConfigurationError(key, `must be one of ${words.join(', ')}, not "${value}"`);
  return word;
}

/** What exchanges and queues are declared by. */
export interface QueueConfiguration {
  /** Names of exchanges and queues start with it. */
  queuePrefix: string;
  /** Queues side by side, numbered from 0. */
  queuePartitions: number;
  /** Undefined: the vhost's default decides. */
  queueType: QueueType | undefined;
}

/** What every app of Disparo is told. */
export interface SharedConfiguration extends QueueConfiguration {
  databaseUrl: string;
  mongodbUrl: string;
  rabbitmqUrl: string;
  logLevel: (typeof LOG_LEVELS)[number];
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
const QUEUE_PREFIX_FORM = /^[A-Za-z0-9_.-]{1,100}$/;

/** Reads the keys that all apps share. Throws ConfigurationError at the first that is wrong or missing. */
export function sharedConfiguration(env: Environment): SharedConfiguration {
  const queues = queueConfiguration(env);
  return {
    databaseUrl: serviceUrl(env, 'DATABASE_URL'),
    mongodbUrl: serviceUrl(env, 'MONGODB_URL'),
    rabbitmqUrl: serviceUrl(env, 'RABBITMQ_URL'),
    ...queues,
    logLevel: wordKey(env, 'LOG_LEVEL', LOG_LEVELS, 'info'),
  };
}

/** Reads the keys of the queues alone. Throws ConfigurationError at the first that is wrong. */
export function queueConfiguration(env: Environment): QueueConfiguration {
  const queuePrefix = env.QUEUE_PREFIX ?? 'disparo';
  if (!QUEUE_PREFIX_FORM.test(queuePrefix))
    throw new ConfigurationError('QUEUE_PREFIX', 'must be 1 to 100 letters, digits, dots, dashes or underscores');
  return {
    queuePrefix,
    queuePartitions: integerKey(env, 'QUEUE_PARTITIONS', { min: 1, max: 64, default: 1 }),
    queueType: wordKey(env, 'QUEUE_TYPE', QUEUE_TYPES, undefined),
  };
}
