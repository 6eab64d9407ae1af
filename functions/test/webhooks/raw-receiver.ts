import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A receiver that chooses each byte of its answer, and when, by what has come so far. Not HTTP: it may break every rule. */
export class RawReceiver {
  /** What came by each connection, in the order in which they were opened. */
  readonly received: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#serve(socket));

  private constructor(private readonly answer: (socket: Socket, received: string) => void) {}

  /** @param answer called at each piece that comes, with all that has come by that connection */
  static async open(answer: (socket: Socket, received: string) => void): Promise<RawReceiver> {
    const receiver = new RawReceiver(answer);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  /** Answers every request once it has come whole. */
  static async answering(head: string, body: string | Buffer = ''): Promise<RawReceiver> {
    return RawReceiver.open((socket, received) => {
      if (!isWhole(received)) return;
      socket.write(`HTTP/1.1 ${head}\r\n\r\n`);
      socket.end(body);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hooks?a=b`;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    const at = this.received.push('') - 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // A sender that has read enough cuts the connection.
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.received[at] += chunk.toString('latin1');
      this.answer(socket, this.received[at] ?? '');
    });
  }
}

function isWhole(received: string): boolean {
  const [head = '', ...body] = received.split('\r\n\r\n');
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return received.includes('\r\n\r\n') && body.join('\r\n\r\n').length >= length;
}
