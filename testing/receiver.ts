import { once, setMaxListeners } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { untilTrue } from './until.js';

/** A request of which every byte has come. */
export interface Received {
  /** When its head came: `Date.now()`. */
  at: number;
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** The raw bytes: a signature is over these. */
  body: Buffer;
  /** Its `webhook-id`, or ''. */
  id: string;
  /** How often its id has come, this time included. */
  turn: number;
}

/** What is answered to a request. Without a status 200, without a body none. */
export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Waits before the answer. */
  delayMs?: number;
  /** `answer`: not a byte comes. `end`: status, headers and body come, and the answer stays open. */
  never?: 'answer' | 'end';
}

/** A real HTTP server on loopback that receives webhooks, keeps each request, and answers as it is told. */
export class Receiver {
  /** All that have come, in the order in which they were complete. */
  readonly requests: Received[] = [];
  /** Requests whose answer has not ended yet, and the most that there were at once. */
  inFlight = 0;
  mostInFlight = 0;
  readonly #turns = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #server = createServer((request, response) => this.#take(request, response));

  private constructor(
    private readonly host: string,
    /** May be changed at any time: it is for what comes from then on. */
    public answer: (request: Received) => Reply,
  ) {}

  /** Listens on a free port, unless one is given: to come back where an earlier one was closed. */
  static async open(
    answer: (request: Received) => Reply = () => ({}),
    { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
  ): Promise<Receiver> {
    const receiver = new Receiver(host, answer);
    setMaxListeners(0, receiver.#closing.signal);
    receiver.#server.listen(port, host);
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}/`;
  }

  /** Each time that this `webhook-id` has come. */
  of(id: string): Received[] {
    return this.requests.filter((each) => each.id === id);
  }

  /** Waits until at least so many have come, and returns all that have. */
  async untilCount(wanted: number, withinMs?: number): Promise<Received[]> {
    const came = () => `${wanted} requests at ${this.url}: ${this.requests.length} came`;
    await untilTrue(() => this.requests.length >= wanted, came, withinMs === undefined ? {} : { withinMs });
    return this.requests;
  }

  /** Ends every connection, also those whose request waits for its answer. */
  async close(): Promise<void> {
    this.#closing.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = Date.now();
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    response.once('close', () => this.inFlight--);
    // A sender that breaks off has sent no request.
    const body = await buffer(request).catch(() => undefined);
    if (!body) return;
    const { method = '', url: path = '', headers } = request;
    const id = String(headers['webhook-id'] ?? '');
    const turn = (this.#turns.get(id) ?? 0) + 1;
    this.#turns.set(id, turn);
    const received = { at, method, path, headers, body, id, turn };
    this.requests.push(received);
    await this.#reply(response, this.answer(received));
  }

  async #reply(response: ServerResponse, { status = 200, headers, body, delayMs, never }: Reply): Promise<void> {
    if (never === 'answer') return;
    // Rejects when it is closed meanwhile.
    if (delayMs !== undefined && !(await delay(delayMs, true, { signal: this.#closing.signal }).catch(() => false)))
      return;
    response.writeHead(status, headers);
    if (never !== 'end') response.end(body);
    else if (body === undefined) response.flushHeaders();
    else response.write(body);
  }
}
