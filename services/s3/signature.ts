import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The one pair of keys that a store accepts. */
export interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
}

/** The error code of S3's API for a request that is refused. */
type Refusal = 'AccessDenied' | 'SignatureDoesNotMatch' | 'RequestTimeTooSkewed';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_SKEW_MS = 15 * 60_000;
const HEADER_FORM = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

interface Claim {
  credential: string;
  signedHeaders: string[];
  signature: string;
  date: string;
  bodyHash: string;
  /** How long a signed URL is valid. Undefined: the signature is in the Authorization header. */
  expiresS?: number;
}

/**
 * Checks a request's AWS Signature Version 4, in its URL or its Authorization header. Undefined: it is valid.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function refusalOf(request: IncomingMessage, keys: Keys, now = Date.now()): Refusal | undefined {
  const url = new URL(request.url ?? '/', 'http://store');
  const claim = url.searchParams.has('X-Amz-Signature') ? claimOfUrl(url.searchParams) : claimOfHeaders(request);
  if (!claim) return 'AccessDenied';
  const [accessKeyId, ...scope] = claim.credential.split('/');
  const signedAt = timeOf(claim.date);
  if (accessKeyId !== keys.accessKeyId || scope.length !== 4 || !claim.signedHeaders.includes('host'))
    return 'AccessDenied';
  if (claim.expiresS === undefined && !(Math.abs(now - signedAt) < MAX_SKEW_MS)) return 'RequestTimeTooSkewed';
  if (claim.expiresS !== undefined && !(now < signedAt + claim.expiresS * 1_000)) return 'AccessDenied';
  const canonical = canonicalRequest(request, url, claim);
  const toSign = [ALGORITHM, claim.date, scope.join('/'), createHash('sha256').update(canonical).digest('hex')];
  const key = scope.reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${keys.secretAccessKey}`);
  const expected = hmac(key, toSign.join('\n'));
  const given = Buffer.from(claim.signature, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected) ? undefined : 'SignatureDoesNotMatch';
}

function claimOfUrl(query: URLSearchParams): Claim | undefined {
  const get = (name: string): string => query.get(`X-Amz-${name}`) ?? '';
  if (get('Algorithm') !== ALGORITHM) return undefined;
  return {
    credential: get('Credential'),
    signedHeaders: get('SignedHeaders').split(';'),
    signature: get('Signature'),
    date: get('Date'),
    bodyHash: 'UNSIGNED-PAYLOAD',
    expiresS: Number(get('Expires') || Number.NaN),
  };
}

function claimOfHeaders({ headers }: IncomingMessage): Claim | undefined {
  const [, credential, signedHeaders, signature] = HEADER_FORM.exec(headers.authorization ?? '') ?? [];
  if (credential === undefined || signedHeaders === undefined || signature === undefined) return undefined;
  const header = (name: string): string => String(headers[name] ?? '');
  return {
    credential,
    signedHeaders: signedHeaders.split(';'),
    signature,
    date: header('x-amz-date'),
    bodyHash: header('x-amz-content-sha256'),
  };
}

function canonicalRequest(request: IncomingMessage, url: URL, { signedHeaders, bodyHash }: Claim): string {
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort();
  const headers = signedHeaders.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`);
  const path = url.pathname.split('/').map((part) => encoded(decodeURIComponent(part)));
  return [request.method, path.join('/'), query.join('&'), headers.join(''), signedHeaders.join(';'), bodyHash].join(
    '\n',
  );
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Milliseconds since 1970 of a date such as `20261124T083000Z`. */
function timeOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
