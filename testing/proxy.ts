import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { joinWith } from './joined.js';
import { freePort } from './process.js';

/** Stands between the consumer and a service, so that a test can have the connection cut or the port closed. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  /** Connections that came through. */
  connections = 0;

  private constructor(
    readonly port: number,
    private readonly target: URL,
    private readonly defaultPort: number,
  ) {}

  /** The port is taken when it is opened, not before. */
  static async to(url: string, defaultPort: number): Promise<TcpProxy> {
    return new TcpProxy(await freePort(), new URL(url), defaultPort);
  }

  /** The service's URL, by way of this proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  async open(): Promise<void> {
    this.#server = createServer((near) => this.#join(near)).listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Every connection breaks; new ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#server?.close();
    this.cut();
  }

  #join(near: Socket): void {
    this.connections++;
    joinWith(this.target, this.defaultPort, near, this.#sockets);
  }
}
