import { contractJson } from './contract-file.js';

/**
 * Who is told a key: the config of the API, and the functions by serverless.yml; the config of the consumers, in each
 * language; `npm start` and its like for themselves; docker-compose.yml.
 */
export type Reader = 'api' | 'functions' | 'consumers' | 'commands' | 'compose';

/** What a key may be told. */
type Form =
  | { kind: 'integer'; min: number; max: number; default?: number }
  | { kind: 'word'; words: string[]; default?: string }
  | { kind: 'url'; schemes: string[]; default?: undefined }
  /** With a `form`, `wrong` says what is the matter with a text of another. */
  | { kind: 'text'; form?: string; wrong?: string; default?: string };

/** A key of the configuration. `npm test -- infra/local/keys -u` writes .env.example and the tables of the READMEs from it. */
export type Key = Form & {
  readers: Reader[];
  /** In words for people: what it is, in one sentence, and of one without a default what follows from leaving it out. */
  what: string;
  unset?: string;
  /** For .env.example, where it stands commented out. */
  example?: string;
  /** Never shown, and never in a template that is deployed. */
  secret?: true;
};

/** Every key there is, by the heading in .env.example below which it stands. */
export const KEY_GROUPS = contractJson<Record<string, Record<string, Key>>>('keys.json');

const KEYS: Record<string, Key> = Object.assign({}, ...Object.values(KEY_GROUPS));

/** The row of a key. Throws where the table has none, or one of another kind: a bug. */
export function rowOf<K extends Key['kind']>(key: string, kind: K): Extract<Key, { kind: K }> {
  const row = KEYS[key];
  if (row?.kind !== kind) throw new Error(`keys.json has no ${kind} ${key}`);
  return row as Extract<Key, { kind: K }>;
}
