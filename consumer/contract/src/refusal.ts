/**
 * What stops a start and what waits: only what cannot heal by itself is a refusal. A closed port, a time-out and an
 * unknown host are none. Walks causes, as drivers wrap what they got.
 * Answers what was refused, in words without a secret; undefined for all that is worth a retry.
 */
export function refusal(error: unknown): string | undefined {
  for (const cause of causes(error)) {
    const known = KNOWN.find(({ codes, pattern }) => codes.includes(codeOf(cause)) || pattern?.test(messageOf(cause)));
    if (known) return typeof known.says === 'string' ? known.says : known.says(messageOf(cause));
  }
  return undefined;
}

/** Of a URL that its driver does not take, and in place of the driver's words, which may quote a part of the password. */
export const UNUSABLE_URL =
  'is not usable; check its options and the files they name, and percent-encode special characters';

interface Known {
  codes: readonly (string | number)[];
  pattern?: RegExp;
  says: string | ((message: string) => string);
}

const KNOWN: readonly Known[] = [
  // PostgreSQL, appendix A of its manual: invalid_password, invalid_authorization_specification, invalid_catalog_name
  { codes: ['28P01'], says: 'the user or the password is wrong' },
  { codes: ['28000'], says: 'the server does not let this user in' },
  { codes: [], pattern: /client password must be a string/, says: 'the server wants a password, and the URL has none' },
  { codes: ['3D000'], says: 'the database does not exist' },
  // insufficient_privilege
  { codes: ['42501'], says: "the user has no right to the ledger's tables" },
  { codes: [], pattern: /server does not support SSL/, says: 'the server does not speak TLS, which the URL asks for' },
  // MongoDB: AuthenticationFailed, and Atlas's own code for it
  { codes: [18, 8000], says: 'the user or the password is wrong' },
  { codes: [], pattern: /^(Authentication failed|bad auth)/i, says: 'the user or the password is wrong' },
  {
    codes: [],
    pattern: /requires authentication$/,
    says: 'the server wants a user and a password, and the URL has none',
  },
  // MongoDB again. Of its codes those that stay as they are until somebody changes the URL, the user or the server's data:
  // MechanismUnavailable, Unauthorized, DatabaseDifferCase
  { codes: [334], says: 'the server does not take the authMechanism of the URL' },
  { codes: [13], says: 'the user may not create or write the collection of messages' },
  { codes: [13297], says: 'a database exists whose name differs in upper and lower case only' },
  // BadValue, FailedToParse, TypeMismatch, IllegalOperation, CommandNotFound, InvalidOptions, InvalidNamespace,
  // CommandNotSupported, CommandNotSupportedOnView
  {
    codes: [2, 9, 14, 20, 59, 72, 73, 115, 166],
    says: 'the server refuses the collection of messages; check the name of the database and what is in it',
  },
  {
    codes: [],
    pattern: /load balancing mode/i,
    says: 'the server is behind no load balancer, which the URL asks for',
  },
  // RabbitMQ: 403 while opening is the password; amqplib shows a refused vhost only as an unexpected close
  { codes: [], pattern: /ACCESS[-_]REFUSED/, says: 'the user or the password is wrong, or has no right to this' },
  {
    codes: [],
    pattern: /Expected ConnectionOpenOk/,
    says: 'the vhost is missing, not open to this user, or at its limit of connections',
  },
  {
    codes: [406],
    pattern: /PRECONDITION[-_]FAILED/,
    says: (message) =>
      `a queue or exchange exists with other arguments (${/PRECONDITION[-_]FAILED - (.*?)"?$/.exec(message)?.[1] ?? message}); delete it or take another QUEUE_PREFIX`,
  },
  // TLS, names as Node gives them
  {
    codes: [
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
    ],
    says: (message) => `the server's certificate is not trusted (${message})`,
  },
  // The drivers' own parsers, whose words may quote the password
  {
    codes: ['MongoParseError', 'MongoAPIError'],
    pattern: /^Unable to parse .* with URL$/,
    says: UNUSABLE_URL,
  },
  // Node's file system, for a certificate that the URL names
  { codes: [], pattern: /^(ENOENT|EACCES|EISDIR): .*, (open|read)/, says: UNUSABLE_URL },
  {
    codes: [],
    pattern: /^(Invalid URL|Invalid scheme|Invalid connection string|.*must (be|contain|not contain) .*host)/,
    says: UNUSABLE_URL,
  },
];

function* causes(error: unknown): Generator<unknown> {
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

/** MongoDB's server selection error holds one description a server, each with its own error. */
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
