import { contractJson } from './contract-file.js';

/** The sentence for each refusal: of a service by the code of its server, of `client` by what a driver itself finds. */
const SAYS =
  contractJson<Record<'postgresql' | 'mongodb' | 'rabbitmq' | 'client', Record<string, string>>>('refusals.json');

/** Said of a URL that its driver does not take, instead of the driver's words: they may quote a part of the password. */
export const UNUSABLE_URL = SAYS.client.unusable_url as string;

/** Refusals without a code of their own, by the words of a driver, or of a server where one code has two meanings. */
const WORDED: readonly [RegExp, string | undefined][] = [
  [/client password must be a string/, SAYS.client.no_password],
  [/server does not support SSL/, SAYS.client.no_tls],
  [/requires authentication$/, SAYS.client.no_user],
  [/load balancing mode/i, SAYS.client.no_load_balancer],
  // While a connection opens, amqplib keeps no code, and shows a refused vhost only as an unexpected close.
  [/ACCESS[-_]REFUSED/, SAYS.rabbitmq['403']],
  [/Expected ConnectionOpenOk/, SAYS.rabbitmq['530']],
  [/PRECONDITION[-_]FAILED/, SAYS.rabbitmq['406']],
  [/^Unable to parse .* with URL$/, UNUSABLE_URL],
  [/^(Invalid URL|Invalid scheme|Invalid connection string|.*must (be|contain|not contain) .*host)/, UNUSABLE_URL],
  // A certificate file that the URL names and that cannot be read.
  [/^(ENOENT|EACCES|EISDIR): .*, (open|read)/, UNUSABLE_URL],
];
/** The codes that Node and the driver of MongoDB have for what they find themselves. */
const CLIENT: Record<string, string | undefined> = {
  ...Object.fromEntries(
    [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'CERT_SIGNATURE_FAILURE',
      'CERT_REVOKED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'HOSTNAME_MISMATCH',
    ].map((code) => [code, SAYS.client.untrusted]),
  ),
  MongoParseError: UNUSABLE_URL,
  MongoAPIError: UNUSABLE_URL,
};

/**
 * Tells what stops a start from what waits. Only what cannot heal by itself is a refusal; a closed port, a time-out and an
 * unknown host are none. Looks at all causes, because drivers wrap the errors that they get. Returns what was refused, in
 * words without a secret; undefined for everything that is worth a retry.
 */
export function refusal(error: unknown): string | undefined {
  for (const cause of causes(error)) {
    const [code, message] = [codeOf(cause), messageOf(cause)];
    const says = WORDED.find(([words]) => words.test(message))?.[1] ?? saysOfCode(code);
    // Only the part of the broker's words that names the queue.
    const why = /PRECONDITION[-_]FAILED - (.*?)"?$/.exec(message)?.[1] ?? message;
    if (says !== undefined) return says.replace('{why}', () => why);
  }
  return undefined;
}

function saysOfCode(code: string | number): string | undefined {
  if (typeof code === 'string') return SAYS.postgresql[code] ?? CLIENT[code];
  return SAYS.mongodb[code] ?? SAYS.rabbitmq[code];
}

/** An error and all its causes, each once. */
export function* causes(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  const queue = [error];
  while (queue.length > 0) {
    const next = queue.shift();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    yield next;
    const { cause, errors, reason } = next as { cause?: unknown; errors?: unknown; reason?: unknown };
    queue.push(cause, ...(Array.isArray(errors) ? errors : []), ...serverErrors(reason));
  }
}

/** MongoDB's server selection error holds one description for each server, each with its own error. */
function serverErrors(reason: unknown): unknown[] {
  const servers = (reason as { servers?: unknown } | undefined)?.servers;
  return servers instanceof Map ? [...servers.values()].map((server: { error?: unknown }) => server.error) : [];
}

/** MongoDB's driver has names where others have codes. */
function codeOf(error: unknown): string | number {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string' || typeof code === 'number') return code;
  return typeof name === 'string' ? name : '';
}

function messageOf(error: unknown): string {
  const { message } = error as { message?: unknown };
  return typeof message === 'string' ? message : '';
}
