import { rowOf } from './keys.js';
import { UNUSABLE_URL } from './refusal.js';
import type { QueueType } from './topology.js';
import { withStrictOptions } from './url-options.js';

/** How an app of Disparo ends (sysexits.h where it has a name). The same in every language. */
export const EXIT = {
  /** Told to stop, and the current work was finished. */
  drained: 0,
  /** A bug. */
  bug: 1,
  /** The grace time ran out, or a second signal came: the current work is done again. */
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

/** A key that is read while it is unset must have a default. A key without a default is read only where it is set. */
function given<T>(value: T | undefined, key: string): T {
  if (value === undefined) throw new Error(`${key} is not set, and keys.json has no default for it`);
  return value;
}

/** A whole number in the range of its key, or the default when unset. Throws ConfigurationError. */
export function integerKey(env: Environment, key: string): number {
  const { min, max, default: fallback } = rowOf(key, 'integer');
  const text = env[key];
  if (text === undefined) return given(fallback, key);
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new ConfigurationError(key, `must be a whole number from ${min} to ${max}, not "${text}"`);
}

/** One of the words of its key, or the default when unset. The caller names their type. Throws ConfigurationError. */
export function wordKey<T extends string = string>(env: Environment, key: string): T {
  const { words, default: fallback } = rowOf(key, 'word');
  const word = given(env[key] ?? fallback, key);
  const isWord = (text: string): text is T => words.includes(text);
  if (isWord(word)) return word;
  throw new ConfigurationError(key, `must be one of ${words.join(', ')}, not "${word}"`);
}

/** `true` or `false`, in these letters only, or the default of its key when unset. Throws ConfigurationError. */
export function booleanKey(env: Environment, key: string): boolean {
  const { default: fallback } = rowOf(key, 'boolean');
  const text = env[key];
  if (text === undefined) return given(fallback, key);
  if (text === 'true' || text === 'false') return text === 'true';
  throw new ConfigurationError(key, `must be true or false, not "${text}"`);
}

/** A text in the form of its key, or the default when unset. Throws ConfigurationError. */
export function textKey(env: Environment, key: string): string {
  const { form = '', wrong = '', default: fallback } = rowOf(key, 'text');
  const text = given(env[key] ?? fallback, key);
  if (new RegExp(form).test(text)) return text;
  throw new ConfigurationError(key, wrong);
}

/** A URL with one of the schemes of its key. Throws ConfigurationError. */
export function urlKey(env: Environment, key: string): string {
  const { schemes } = rowOf(key, 'url');
  const url = given(env[key], key);
  if (URL.canParse(url) && schemes.includes(new URL(url).protocol.slice(0, -1))) return url;
  throw new ConfigurationError(key, `must be a URL that begins with ${beginnings(schemes)}`);
}

function beginnings(schemes: readonly string[]): string {
  return schemes.map((scheme) => `${scheme}://`).join(' or ');
}

/** A blank or a control character comes from a copied text or a file. Drivers would take it as a part of the last name. */
const holdsBlank = (url: string): boolean => [...url].some((character) => character <= ' ');

/**
 * The URL of one of the three services. MongoDB's and RabbitMQ's have only those options that the drivers of all languages
 * take in the same way. Throws ConfigurationError without showing the URL.
 */
export function serviceUrl(env: Environment, key: 'DATABASE_URL' | 'MONGODB_URL' | 'RABBITMQ_URL'): string {
  const { schemes } = rowOf(key, 'url');
  const wanted = beginnings(schemes);
  const url = env[key];
  if (url === undefined)
    throw new ConfigurationError(key, `is not set; give a URL that begins with ${wanted}, or run "npm run services"`);
  if (!schemes.some((scheme) => url.startsWith(`${scheme}://`)))
    throw new ConfigurationError(key, `must begin with ${wanted}`);
  // MongoDB's lists of hosts are no WHATWG URL; its driver parses those.
  if (holdsBlank(url) || (!schemes.includes('mongodb') && !isReadable(url)))
    throw new ConfigurationError(key, 'is not a URL; a password with special characters must be percent-encoded');
  // PostgreSQL's options are the server's own: it judges them.
  const strict = key === 'DATABASE_URL' ? url : withStrictOptions(key, url);
  if (strict === undefined) throw new ConfigurationError(key, UNUSABLE_URL);
  return strict;
}

/** The drivers decode each part and throw at a stray percent sign. */
function isReadable(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, pathname, hash } = new URL(url);
  // These come from a password that is not encoded. A part of it would then pass for a host and be shown.
  const ats = url.split('@').length - 1;
  if (hash !== '' || ats > 1 || (ats === 1 && username === '' && password === '')) return false;
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** The keys that exchanges and queues are declared from. */
interface QueueConfiguration {
  /** Names of exchanges and queues start with it. */
  queuePrefix: string;
  /** How many campaign queues there are, numbered from 0. */
  queuePartitions: number;
  /** Undefined: the vhost's default decides. */
  queueType: QueueType | undefined;
}

/** The configuration that every app of Disparo has. */
export interface SharedConfiguration extends QueueConfiguration {
  databaseUrl: string;
  mongodbUrl: string;
  rabbitmqUrl: string;
  logLevel: string;
}

/** Reads the keys that all apps share. Throws ConfigurationError at the first that is wrong or missing. */
export function sharedConfiguration(env: Environment): SharedConfiguration {
  const queues = queueConfiguration(env);
  return {
    databaseUrl: serviceUrl(env, 'DATABASE_URL'),
    mongodbUrl: serviceUrl(env, 'MONGODB_URL'),
    rabbitmqUrl: serviceUrl(env, 'RABBITMQ_URL'),
    ...queues,
    logLevel: wordKey(env, 'LOG_LEVEL'),
  };
}

/** Reads the keys of the queues alone. Throws ConfigurationError at the first that is wrong. */
export function queueConfiguration(env: Environment): QueueConfiguration {
  return {
    queuePrefix: textKey(env, 'QUEUE_PREFIX'),
    queuePartitions: integerKey(env, 'QUEUE_PARTITIONS'),
    queueType: env.QUEUE_TYPE === undefined ? undefined : wordKey<QueueType>(env, 'QUEUE_TYPE'),
  };
}
