import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { freePort } from '../services/ports.js';

/**
 * A TCP port before a service, which a test lets fail. Open: all goes through. Closed: the port refuses and what is open
 * breaks. Held: connections stand, and what the caller says from now on is swallowed, so that it waits for an answer.
 */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #held = false;
  /** Connections that came through. */
  connections = 0;
  /** Bytes that a held proxy has kept from the service. */
  swallowed = 0;

  private constructor(
    readonly port: number,
    private readonly service: URL,
    private readonly defaultPort: number,
    private readonly hear: (bytes: Buffer) => void,
  ) {}

  /** On a port of its own, which is taken when it is opened and not before. `hear` is told what the service says. */
  static async to(url: string, defaultPort: number, hear: (bytes: Buffer) => void = () => {}): Promise<TcpProxy> {
    return new TcpProxy(await freePort(), new URL(url), defaultPort, hear);
  }

  /** The same, open. */
  static async openTo(...given: Parameters<typeof TcpProxy.to>): Promise<TcpProxy> {
    const proxy = await TcpProxy.to(...given);
    await proxy.open();
    return proxy;
  }

  /** The service's URL, by way of this proxy. */
  get url(): string {
    const url = new URL(this.service);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** Lets all through; on the same port again after close(). */
  async open(): Promise<void> {
    this.#held = false;
    this.#server = createServer((near) => this.#join(near)).listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Swallows what callers say, until open(). */
  hold(): void {
    this.#held = true;
  }

  /** Every connection breaks; new ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (!server?.listening) return;
    server.close();
    await once(server, 'close');
  }

  #join(near: Socket): void {
    this.connections++;
    const far = joinWith(this.service, this.defaultPort, near, this.#sockets, (bytes) => {
      if (this.#held) this.swallowed += bytes.length;
      return !this.#held;
    });
    far.on('data', this.hear);
  }
}

/**
 * Connects `near` with a service and hands the bytes on, both ways, those of `near` as long as `passes` says so; a side that
 * closes takes the other one with it. Both are in `open` for as long as they are, so that whoever stands between can cut them.
 */
export function joinWith(
  service: URL,
  defaultPort: number,
  near: Socket,
  open: Set<Socket>,
  passes: (bytes: Buffer) => boolean = () => true,
): Socket {
  const far = connect(Number(service.port) || defaultPort, service.hostname);
  const gate = new Transform({
    transform: (bytes: Buffer, _, done) => (passes(bytes) ? done(null, bytes) : done()),
  });
  near.pipe(gate).pipe(far);
  far.pipe(near);
  for (const [socket, other] of [
    [near, far],
    [far, near],
  ] as const) {
    open.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      other.destroy();
    });
  }
  return far;
}
