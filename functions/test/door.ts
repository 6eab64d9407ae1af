import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A TCP port before a service. Open: all goes through. Closed: the port refuses and what is open breaks. Held: connections
 * stand, and what the caller says from now on is swallowed, so that it waits for an answer.
 */
export class Door {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #held = false;
  #swallowed = 0;
  #port = 0;

  private constructor(
    private readonly service: URL,
    private readonly servicePort: number,
    private readonly hear?: (bytes: Buffer) => void,
  ) {}

  /** Opens it on a free port, which it keeps. `hear` is told what the service says. */
  static async before(url: string, defaultPort: number, hear?: (bytes: Buffer) => void): Promise<Door> {
    const service = new URL(url);
    const door = new Door(service, Number(service.port) || defaultPort, hear);
    await door.open();
    return door;
  }

  /** The service's URL through this door. */
  get url(): string {
    const url = new URL(this.service);
    url.host = `127.0.0.1:${this.#port}`;
    return url.href;
  }

  /** Bytes that a held door has kept from the service. */
  get swallowed(): number {
    return this.#swallowed;
  }

  async open(): Promise<void> {
    this.#held = false;
    this.#server = createServer((near) => this.#join(near)).listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as { port: number }).port;
  }

  hold(): void {
    this.#held = true;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server?.listening) {
      server.close();
      await once(server, 'close');
    }
  }

  #join(near: Socket): void {
    const far = connect(this.servicePort, this.service.hostname);
    this.#pass(near, far, true);
    this.#pass(far, near, false);
  }

  #pass(from: Socket, to: Socket, isCaller: boolean): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      if (!isCaller) this.hear?.(bytes);
      if (this.#held && isCaller) this.#swallowed += bytes.length;
      else to.write(bytes);
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
