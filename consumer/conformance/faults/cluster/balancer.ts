import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../../../services/ports.js';
import { join } from '../../../../testing/proxy.js';

const CONNECT_TIMEOUT_MS = 2_000;

/** One address for several servers. A connection goes to the next server that takes it, and breaks when that one ends. */
export class Balancer {
  readonly #open = new Set<Socket>();
  #next = 0;

  private constructor(
    readonly port: number,
    private readonly server: Server,
    /** Ports on loopback; changed when another server takes over the address. */
    public targets: number[],
  ) {}

  static async before(targets: number[]): Promise<Balancer> {
    const port = await freePort();
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const balancer = new Balancer(port, server, targets);
    server.on('connection', (near) => void balancer.#join(near));
    return balancer;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.#open) socket.destroy();
  }

  async #join(near: Socket): Promise<void> {
    this.#open.add(near);
    near.on('error', () => {}).on('close', () => this.#open.delete(near));
    const turn = this.#next++;
    for (let tried = 0; tried < this.targets.length && !near.destroyed; tried++) {
      const far = await reach(this.targets[(turn + tried) % this.targets.length] ?? 0);
      if (!far) continue;
      if (near.destroyed) far.destroy();
      else join(near, far, this.#open);
      return;
    }
    near.destroy();
  }
}

/** A connection to the port; undefined where nothing listens, or nothing answers. */
async function reach(port: number): Promise<Socket | undefined> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    return socket;
  } catch {
    socket.destroy();
    return undefined;
  }
}
