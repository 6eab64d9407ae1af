import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What a server does with the nth POST or GET (from 1); undefined: as the contract says. */
export type Misbehaviour = (request: { method: string; nth: number; socket: Socket }) => Answered | undefined;

/** An answer of its own, or none at all. */
type Answered = { status: number; headers?: Record<string, string>; body?: unknown } | 'nothing';

/** A server that speaks the contract of /api/user and stores nothing, for specs: it misbehaves where it is told to. */
export class ContractServer {
  readonly requests = { POST: 0, GET: 0 };
  readonly #server = createServer((request, response) => this.#answer(request, response));

  constructor(private readonly misbehaves: Misbehaviour = () => undefined) {}

  /** Listens at a free port of `host`. */
  async listen(host = '127.0.0.1'): Promise<{ host: string; port: number; path: string }> {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port, path: '' };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume().on('end', () => {
      const answer = this.#answerTo(request);
      if (answer === 'nothing') return;
      const { status, headers = {}, body = {} } = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    });
  }

  #answerTo({ url = '', method: word, socket }: IncomingMessage): Answered {
    if (url === '/api/health') return { status: 200, body: { status: 'up', postgres: 'up' } };
    if (!url.startsWith('/api/user')) return { status: 404 };
    const method = word === 'POST' ? 'POST' : 'GET';
    const nth = ++this.requests[method];
    const usual =
      method === 'POST'
        ? { status: 202, body: { message: 'accepted', job: String(nth) } }
        : { status: 200, body: { status: 'completed', message: 'done', timer: 1 } };
    return this.misbehaves({ method, nth, socket }) ?? usual;
  }
}
