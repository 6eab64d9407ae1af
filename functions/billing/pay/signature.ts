import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A request that was signed longer ago may be one that somebody has recorded and sends again. */
const MAX_AGE_S = 300;
const TIME = /^\d{1,12}$/;
const DIGEST = /^[0-9a-f]{64}$/i;
/** Signs for a company without secrets, so that the refusal takes as long as any other. */
const NOBODYS = randomBytes(32).toString('base64url');

/** A header `t=<unix>,v1=<hex>`. `t` as it was sent, since it is part of what is signed. */
interface Signature {
  t: string;
  digests: Buffer[];
}

/**
 * Whether one of these secrets signed these bytes, at most 300 s before or after `nowMs`. A header of another form fits
 * none. Schemes other than `v1` are skipped: a sender may sign by a newer one as well.
 */
export function isSigned(header: string | undefined, body: Buffer, secrets: readonly string[], nowMs: number): boolean {
  const signature = signatureIn(header ?? '');
  if (!signature || Math.abs(Math.floor(nowMs / 1_000) - Number(signature.t)) > MAX_AGE_S) return false;
  const { t, digests } = signature;
  const wanted = (secrets.length > 0 ? secrets : [NOBODYS]).map((secret) =>
    createHmac('sha256', secret).update(`${t}.`).update(body).digest(),
  );
  // Each is compared, so that the time says nothing of which one fits.
  const fits = wanted.flatMap((each) => digests.map((digest) => timingSafeEqual(each, digest)));
  return secrets.length > 0 && fits.includes(true);
}

function signatureIn(header: string): Signature | undefined {
  const times: string[] = [];
  const digests: Buffer[] = [];
  for (const part of header.split(',')) {
    const [, name, value = ''] = /^\s*([a-z0-9]+)=(\S+)\s*$/.exec(part) ?? [];
    if (name === undefined) return undefined;
    if (name === 't') times.push(value);
    if (name !== 'v1') continue;
    if (!DIGEST.test(value)) return undefined;
    digests.push(Buffer.from(value, 'hex'));
  }
  const [t = ''] = times;
  return times.length === 1 && TIME.test(t) && digests.length > 0 ? { t, digests } : undefined;
}
