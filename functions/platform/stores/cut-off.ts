import { connect } from 'node:net';
import type pg from 'pg';
import { ServiceUnavailable } from '../problem.js';

/** Length and code of a CancelRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const CANCEL_BYTES = 16;
const CANCEL_CODE = 80_877_102;

/** What pg keeps of a connection, and does not declare in its types. */
interface Backend {
  host: string;
  port: number;
  processID?: number | null;
  secretKey?: number | null;
}

/**
 * Ends the work on a connection when a signal aborts. Code that commits calls `pass` first. Before `pass` no COMMIT has been
 * sent; after it the signal ends nothing any more. With `mostMs` the work also ends after that time, COMMIT or not.
 */
export class CutOff {
  /** Rejects when the work is ended. The connection is of no use then: a cancel may be on its way to it. */
  readonly late: Promise<never>;
  /** Whether `late` has rejected. */
  isCutOff = false;
  readonly #listening: () => void;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(
    client: pg.PoolClient,
    private readonly signal: AbortSignal | undefined,
    mostMs?: number,
  ) {
    let cut: (reason: Error) => void = () => {};
    this.late = new Promise((_, reject) => {
      cut = (reason) => {
        this.isCutOff = true;
        cancel(client as unknown as Backend);
        reject(reason);
      };
    });
    this.#listening = () => cut(reasonOf(signal));
    signal?.addEventListener('abort', this.#listening, { once: true });
    const silent = () => cut(new ServiceUnavailable('the database does not answer'));
    if (mostMs !== undefined) this.#timer = setTimeout(silent, mostMs);
    // Without a handler a rejection would end the process.
    this.late.catch(() => {});
  }

  /** Throws when it is too late. After it the work goes on to its end: a COMMIT that is sent in the same turn is in time. */
  pass(): void {
    throwIfAborted(this.signal);
    this.#deafen();
  }

  /** Called when the connection is given back: neither the signal nor the time ends anything any more. */
  end(): void {
    this.#deafen();
    clearTimeout(this.#timer);
  }

  #deafen(): void {
    this.signal?.removeEventListener('abort', this.#listening);
  }
}

/** Throws ServiceUnavailable if the signal has aborted: its reason, where that is one. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof ServiceUnavailable ? signal.reason : new ServiceUnavailable('told to stop');
}

/** Asks PostgreSQL to stop what the connection runs, which frees its locks. Best effort: nothing is committed either way. */
function cancel({ host, port, processID, secretKey }: Backend): void {
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const request = Buffer.alloc(CANCEL_BYTES);
  request.writeInt32BE(CANCEL_BYTES, 0);
  request.writeInt32BE(CANCEL_CODE, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.on('error', () => {});
  socket.end(request);
}
