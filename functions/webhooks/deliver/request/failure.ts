/** A request got no answer, for a reason that is known: its message, which a member may read. */
export class Unanswered extends Error {}

const CLOSED = 'the connection was closed too early';
const UNREACHABLE = 'the address cannot be reached';
const SELF_SIGNED = 'the certificate is not valid: self-signed';
const UNKNOWN_ISSUER = 'the certificate is not valid: its issuer is not known';

/** By the code of an error of Node, its parser or OpenSSL. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  HPE_HEADER_OVERFLOW: 'the head of the answer is too long',
  CERT_HAS_EXPIRED: 'the certificate is not valid: expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid: not yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is not valid: it is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: SELF_SIGNED,
  SELF_SIGNED_CERT_IN_CHAIN: SELF_SIGNED,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_ISSUER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_ISSUER,
};

/** Why a request got no answer, in words that a member may read: they name no address, and nothing of this machine. */
export function failureOf(error: unknown): string {
  if (error instanceof Unanswered) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code in WORDS) return WORDS[code] ?? '';
  if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'the TLS handshake failed';
  if (code.startsWith('ERR_TLS_') || code.includes('CERT')) return 'the certificate is not valid';
  return 'the request failed';
}
