/** Error codes of Node's sockets and of its `fetch`. */
const NETWORK = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
];
/** PostgreSQL, appendix A of its manual: admin_shutdown, crash_shutdown, cannot_connect_now. */
const POSTGRES = ['57P01', '57P02', '57P03'];
/** Messages of pg that have no code. */
const PG = /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;
/** MongoDB: ShutdownInProgress, InterruptedAtShutdown. */
const MONGODB = [91, 11_600];
const MONGODB_DRIVER = /^(Mongo(Network|NetworkTimeout|ServerSelection|PoolCleared)|PoolClearedOnNetwork)Error$/;
const TIMEOUT = 'TimeoutError';

/** Whether a service that is down, stops or starts explains an error or one of its causes. Any other error is a failure. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, message, cause, code } = error as Error & { code?: unknown };
  const known: readonly unknown[] = [...NETWORK, ...POSTGRES, ...MONGODB];
  return known.includes(code) || MONGODB_DRIVER.test(name) || PG.test(message) || name === TIMEOUT || isOutage(cause);
}

/** For `catch`: returns undefined for an outage, and throws any other error. */
export function unlessOutage(error: unknown): undefined {
  if (!isOutage(error)) throw error;
}
