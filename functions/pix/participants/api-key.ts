import { createHash, randomBytes } from 'node:crypto';

/** What keys of participants begin with: a scanner of source code finds them by it. */
const PREFIX = 'pix_';
const BYTES = 32;
const KEY = /^pix_[A-Za-z0-9_-]{43}$/;
const BEARER = /^Bearer +(\S+)$/i;

/** The key that the collectors of an ISPB send. */
export function newKey(): string {
  return PREFIX + randomBytes(BYTES).toString('base64url');
}

/** A key has 256 random bits, so that nobody can guess it from its hash: a slow hash would add nothing. */
export function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** What came as a key. `hash` is undefined where it does not have the form of a key: the token of a user, for one. */
interface SentKey {
  hash: Buffer | undefined;
}

/** The key of an Authorization header; undefined: there is none. */
export function sentKey(authorization: string | undefined): SentKey | undefined {
  const key = BEARER.exec(authorization?.trim() ?? '')?.[1];
  return key === undefined ? undefined : { hash: KEY.test(key) ? hashOf(key) : undefined };
}
