import { createHash } from 'node:crypto';
import { randomFrom } from '../../testing/random.js';

/** A user as `POST /api/user` takes it. */
export interface LoadUser {
  id: string;
  name: string;
  age: number;
  score: number;
  active: boolean;
  country: string;
  team: { name: string; leader: boolean; projects: { name: string; completed: boolean }[] };
  logs: { date: string; action: 'login' | 'logout' }[];
}

const PROJECTS = 4;
const LOGS = 8;
const AGES = 151;
const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(2000, 0, 1);
const DAYS = 10_000;
const COUNTRIES = ['Brasil', 'Portugal', 'Moçambique', 'Deutschland', '日本', "Côte d'Ivoire"];
/** Texts that a store may spoil: accents, quotes, signs beyond 16 bits, what looks like an escape or a line of COPY. */
const TEXTS = ['Usuário', 'an "ordinary" user', "O'Neill", 'Zoë 😀', String.raw`a\nb\.`, 'ok, {1}; --', 'نور'];

/**
 * The user number `index` (from 0) of a run: for the same seed the same user, with an id that no other user has. A user is
 * eight rows of four tables in the mean.
 */
export function userAt(seed: number, index: number): LoadUser {
  const hash = createHash('sha256').update(`${seed} ${index}`).digest();
  const random = randomFrom(hash.readInt32LE(16));
  const below = (limit: number) => Math.floor(random() * limit);
  const some = (texts: readonly string[]) => `${texts[below(texts.length)]}`;
  const many = <T>(most: number, one: () => T): T[] => Array.from({ length: below(most + 1) }, one);
  return {
    id: uuidOf(hash),
    name: `${some(TEXTS)} ${index}`,
    age: below(AGES),
    score: random() * 100,
    active: random() < 0.5,
    country: some(COUNTRIES),
    team: {
      name: `${some(TEXTS)} team`,
      leader: random() < 0.2,
      projects: many(PROJECTS, () => ({ name: some(TEXTS), completed: random() < 0.5 })),
    },
    logs: many(LOGS, () => ({
      date: new Date(FIRST_DAY + below(DAYS) * DAY_MS).toISOString().slice(0, 10),
      action: random() < 0.5 ? 'login' : 'logout',
    })),
  };
}

/** A UUID of version 4 of the first 16 bytes: in a random order, as those of real clients are. */
function uuidOf(hash: Buffer): string {
  const bytes = Buffer.from(hash.subarray(0, 16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
