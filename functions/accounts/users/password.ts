import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const scryptAsync = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** OWASP's password storage cheat sheet: 16 MiB and five passes cost an attacker what one pass over 128 MiB does. */
const COST = { N: 16_384, r: 8, p: 5 };
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/**
 * Hashes at the same time. libuv has four threads, and a new connection to PostgreSQL needs one for SCRAM. If logins took
 * all four, the database would seem to be away for every other request.
 */
const MAX_AT_ONCE = 2;

/** The password as it is stored: `scrypt$N$r$p$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, { ...COST, maxmem: MAX_MEMORY_BYTES });
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Whether a password is the stored one. Without a stored one it takes as long, and returns false. */
export async function verifyPassword(password: string, stored: string | undefined): Promise<boolean> {
  const [, N, r, p, salt, hash] = (stored ?? DUMMY_PASSWORD).split('$');
  const expected = Buffer.from(hash ?? '', 'base64url');
  const actual = await derive(password, Buffer.from(salt ?? '', 'base64url'), HASH_BYTES, {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    maxmem: MAX_MEMORY_BYTES,
  });
  return expected.length === actual.length && timingSafeEqual(expected, actual) && stored !== undefined;
}

/** What a token carries of the stored password: it changes with the password, and tells nothing of it. */
export function fingerprint(stored: string): string {
  return createHash('sha256').update(stored).digest('base64url').slice(0, 22);
}

const waiting: (() => void)[] = [];
let running = 0;

/** scrypt, MAX_AT_ONCE at a time, in the order of the calls. */
async function derive(password: string, salt: Buffer, length: number, options: ScryptOptions): Promise<Buffer> {
  if (running === MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await scryptAsync(normal(password), salt, length, options);
  } finally {
    // The first that waits takes the place over, so that no later call gets in between.
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** A stored password of the same cost as every other, for e-mails that nobody has. */
const DUMMY_PASSWORD = [
  'scrypt',
  COST.N,
  COST.r,
  COST.p,
  randomBytes(SALT_BYTES).toString('base64url'),
  randomBytes(HASH_BYTES).toString('base64url'),
].join('$');

/** The same letters typed on another system are the same password (NIST SP 800-63B, 3.1.1.2). */
function normal(password: string): string {
  return password.normalize('NFKC');
}
