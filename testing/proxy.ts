import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { freePort } from '../services/ports.js';

/**
 * A TCP port in front of a service, with which a test makes the network fail. Open: all goes through. Closed: the port
 * refuses, and open connections break. Held: connections stay open, but what callers send is swallowed, so that they wait.
 */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #held = false;
  /** How many connections it has accepted. */
  connections = 0;
  /** Bytes that a held proxy has kept from the service. */
  swallowed = 0;

  private constructor(
    readonly port: number,
    private readonly service: URL,
    private readonly defaultPort: number,
    private readonly hear: (bytes: Buffer) => void,
  ) {}

  /** A proxy on a free port, which it takes only when it is opened. `hear` is called with what the service sends. */
  static async to(url: string, defaultPort: number, hear: (bytes: Buffer) => void = () => {}): Promise<TcpProxy> {
    return new TcpProxy(await freePort(), new URL(url), defaultPort, hear);
  }

  /** The same, and opens it. */
  static async openTo(...given: Parameters<typeof TcpProxy.to>): Promise<TcpProxy> {
    const proxy = await TcpProxy.to(...given);
    await proxy.open();
    return proxy;
  }

  /** The service's URL, through this proxy. */
  get url(): string {
    const url = new URL(this.service);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** Listens and lets all through. After close() it is the same port again; after hold() the held connections break. */
  async open(): Promise<void> {
    // What they sent was swallowed: the rest alone would make no sense to the service.
    if (this.#held) this.cut();
    this.#held = false;
    if (this.#server) return;
    this.#server = createServer((near) => this.#join(near)).listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Swallows what callers send, until open(). */
  hold(): void {
    this.#held = true;
  }

  /**
   * As when a firewall forgets its connections: nothing passes any more on those that are open, either way, not even their
   * end. New ones go through.
   */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Bytes that came on the connections that are open, also on silent ones, up to what a socket buffers. */
  get received(): number {
    return [...this.#sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }

  /** Breaks every connection. New ones go through. */
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

/** Connects `near` with a service and joins the two, as `join` does. Returns the connection to the service. */
export function joinWith(
  service: URL,
  defaultPort: number,
  near: Socket,
  open: Set<Socket>,
  passes?: (bytes: Buffer) => boolean,
): Socket {
  const far = connect(Number(service.port) || defaultPort, service.hostname);
  join(near, far, open, passes);
  return far;
}

/**
 * Passes the bytes of two sockets both ways; those of `near` only when `passes` returns true. When one side closes, the other
 * one is closed. Both are in `open` while they are open, so that the caller can cut them.
 */
export function join(
  near: Socket,
  far: Socket,
  open: Set<Socket>,
  passes: (bytes: Buffer) => boolean = () => true,
): void {
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
}
