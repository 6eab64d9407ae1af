/** Of Node's sockets and of its `fetch`. */
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
/** pg gives these no code. */
const PG = /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;
/** MongoDB: ShutdownInProgress, InterruptedAtShutdown. */
const MONGODB = [91, 11_600];
const MONGODB_DRIVER = /^(Mongo(Network|NetworkTimeout|ServerSelection|PoolCleared)|PoolClearedOnNetwork)Error$/;
const TIMEOUT = 'TimeoutError';

/** Whether something that is down, goes down or comes up explains an error or one of its causes. Nothing else is to be borne. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, message, cause, code } = error as Error & { code?: unknown };
  const known: readonly unknown[] = [...NETWORK, ...POSTGRES, ...MONGODB];
  return known.includes(code) || MONGODB_DRIVER.test(name) || PG.test(message) || name === TIMEOUT || isOutage(cause);
}

/** To be given to `catch`: lets an outage pass as undefined, and throws whatever else it is. */
export function unlessOutage(error: unknown): undefined {
  if (!isOutage(error)) throw error;
}
