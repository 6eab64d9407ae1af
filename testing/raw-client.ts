import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A client that chooses each byte that it sends, and when. */
export class RawClient {
  /** All that the server has sent. */
  received = '';
  /** `end`: the server has closed the connection; `ECONNRESET` and others: how it has broken. */
  readonly closed: Promise<string>;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.received += text;
    });
    this.closed = new Promise((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on('close', () => resolve('end'));
    });
  }

  /** Connects and does not wait for it. */
  static to(url: string): RawClient {
    const { hostname, port } = new URL(url);
    return new RawClient(connect(Number(port), hostname));
  }

  /** A login whose body has not begun: 100 Continue says that the server has the request. */
  static async beginning(url: string): Promise<RawClient> {
    const client = RawClient.to(url);
    const fields = ['Host: x', 'Content-Type: application/json', 'Content-Length: 2', 'Expect: 100-continue'];
    client.socket.write(`POST /api/auth/login HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`);
    while (!client.received.includes('100 Continue')) await once(client.socket, 'data');
    return client;
  }

  /** The statuses of the answers, in their order. */
  get statuses(): number[] {
    return [...this.received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
  }
}
