import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Codes of the protocol of Erlang's port mapper. Each request begins with its length in two bytes. */
const REGISTER = 120;
const REGISTERED = 118;
const WHERE_IS = 122;
const IS_AT = 119;
const NAMES = 110;
/** A normal node, with the protocol versions of a current node. */
const KIND = [77, 0, 0, 6, 0, 5];
const OK = 0;
const UNKNOWN = 1;
/** In a request to register: where the length of the name is, and where the name is. */
const NAME_LENGTH_AT = 9;
const NAME_AT = 11;

/** A node that has registered, and the server in front of it. */
interface Registered {
  port: number;
  frontPort: number;
  server: Server;
}

/** A connection between two nodes. */
interface Link {
  nodes: string[];
  sockets: Socket[];
}

/**
 * Erlang's port mapper, as far as a cluster needs it. Instead of a node's port it names one of its own. So all traffic
 * between nodes passes through here and can be cut, without any right on the machine's network.
 */
export class Epmd {
  readonly #nodes = new Map<string, Registered>();
  readonly #links = new Set<Link>();
  #away: string | undefined;

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.once('data', (request: Buffer) => void this.#answer(socket, request.subarray(2)));
    });
  }

  static async listen(port: number): Promise<Epmd> {
    return new Epmd(port, await listening(port));
  }

  /** Separates this node from all others until mend(). `name`: `node@host`. */
  cut(name: string): void {
    this.#away = shortName(name);
    for (const { nodes, sockets } of this.#links)
      if (nodes.includes(this.#away)) for (const one of sockets) one.destroy();
  }

  mend(): void {
    this.#away = undefined;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const { server } of this.#nodes.values()) server.close();
    for (const { sockets } of this.#links) for (const socket of sockets) socket.destroy();
  }

  async #answer(socket: Socket, request: Buffer): Promise<void> {
    if (request[0] === REGISTER) return this.#register(socket, request);
    if (request[0] === WHERE_IS) socket.end(this.#whereIs(request.toString('latin1', 1)));
    else if (request[0] === NAMES) socket.end(this.#names());
    else socket.end('NO');
  }

  /** Registers a node for as long as its connection is open, which is as long as the node lives. */
  async #register(socket: Socket, request: Buffer): Promise<void> {
    const name = request.toString('latin1', NAME_AT, NAME_AT + request.readUInt16BE(NAME_LENGTH_AT));
    const port = request.readUInt16BE(1);
    const server = await listening(0);
    server.on('connection', (near) => this.#join(name, port, near));
    const node = { port, frontPort: (server.address() as { port: number }).port, server };
    socket.on('close', () => {
      server.close();
      if (this.#nodes.get(name) === node) this.#nodes.delete(name);
    });
    this.#nodes.set(name, node);
    socket.write(Buffer.from([REGISTERED, OK, 0, 0, 0, 1 + Math.floor(Math.random() * 200)]));
  }

  #whereIs(name: string): Buffer {
    const node = this.#nodes.get(name);
    if (!node) return Buffer.from([IS_AT, UNKNOWN]);
    const frontBytes = [node.frontPort >> 8, node.frontPort & 255];
    return Buffer.from([IS_AT, OK, ...frontBytes, ...KIND, 0, name.length, ...Buffer.from(name), 0, 0]);
  }

  #names(): Buffer {
    const lines = [...this.#nodes].map(([name, { port }]) => `name ${name} at port ${port}\n`);
    const own = Buffer.alloc(4);
    own.writeUInt32BE(this.port);
    return Buffer.concat([own, Buffer.from(lines.join(''))]);
  }

  /** Connects a caller, which says its name in its first bytes, with a node. A command line tool is always let through. */
  #join(to: string, port: number, near: Socket): void {
    near.on('error', () => {});
    near.once('data', (greeting: Buffer) => {
      const from = [...this.#nodes.keys()].find((name) => greeting.includes(`${name}@`));
      const nodes = from ? [from, to] : [];
      if (this.#away && nodes.includes(this.#away)) {
        near.destroy();
        return;
      }
      const far = connect(port, '127.0.0.1');
      const link = { nodes, sockets: [near, far] };
      this.#links.add(link);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        socket.setNoDelay(true);
        socket
          .on('error', () => {})
          .on('close', () => {
            this.#links.delete(link);
            other.destroy();
          });
      }
      far.write(greeting);
      near.pipe(far).pipe(near);
    });
  }
}

function shortName(name: string): string {
  return name.split('@')[0] ?? '';
}

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
