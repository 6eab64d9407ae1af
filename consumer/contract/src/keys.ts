import { contractJson } from './contract-file.js';

/**
 * Who reads a key: the config of the API; the functions, through serverless.yml; the config of the consumers, in each
 * language; commands like `npm start`; docker-compose.yml.
 */
export type Reader = 'api' | 'functions' | 'consumers' | 'commands' | 'compose';

/** The values that a key may have. */
type Form =
  | { kind: 'integer'; min: number; max: number; default?: number }
  | { kind: 'word'; words: string[]; default?: string }
  | { kind: 'boolean'; default?: boolean }
  | { kind: 'url'; schemes: string[]; default?: undefined }
  /** `form` is a regular expression; `wrong` is said of a text that does not match it. */
  | { kind: 'text'; form?: string; wrong?: string; default?: string };

/**
 * A key of the configuration. `npm test -- infra/local/keys -u` writes .env.example and the tables of the READMEs from it.
 */
export type Key = Form & {
  readers: Reader[];
  /** What the key is, in one sentence for people. */
  what: string;
  /** Of a key without a default: what follows when it is left out. */
  unset?: string;
  /** For .env.example, where it stands commented out. */
  example?: string;
  /** Never shown, and never in a template that is deployed. */
  secret?: true;
};

/** Every key, grouped by its heading in .env.example. */
export const KEY_GROUPS = contractJson<Record<string, Record<string, Key>>>('keys.json');

const KEYS: Record<string, Key> = Object.assign({}, ...Object.values(KEY_GROUPS));

/** The row of a key. Throws when the table has no row of that kind: a bug. */
export function rowOf<K extends Key['kind']>(key: string, kind: K): Extract<Key, { kind: K }> {
  const row = KEYS[key];
  if (row?.kind !== kind) throw new Error(`keys.json has no ${kind} ${key}`);
  return row as Extract<Key, { kind: K }>;
}
