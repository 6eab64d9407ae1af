import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';

const SSL_REQUEST = 80_877_103;
const STARTUP_ANSWER = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);
const READY = 0x5a;
const IDLE = 0x49;
const TERMINATE = 0x58;

/** A connection to PostgreSQL that clients are given in turn. */
interface Backend {
  client: pg.Client;
  socket: Socket;
}

/**
 * What pgbouncer does in transaction mode, for statements one after the other. A client has a connection to PostgreSQL for
 * one transaction and gets another for the next. Whatever state it leaves on one stays there.
 */
export class TransactionPooler {
  private constructor(
    readonly url: string,
    private readonly server: Server,
    private readonly backends: readonly Backend[],
    private readonly clients: Set<Socket>,
  ) {}

  static async open(databaseUrl: string, connections: number): Promise<TransactionPooler> {
    const backends = await Promise.all(Array.from({ length: connections }, () => connect(databaseUrl)));
    const free = [...backends];
    const waiting: ((backend: Backend) => void)[] = [];
    const take = async () => free.shift() ?? new Promise<Backend>((resolve) => waiting.push(resolve));
    // The one that was idle longest comes next, so that no two transactions of one client have the same.
    const give = (backend: Backend) => {
      const next = waiting.shift();
      if (next) next(backend);
      else free.push(backend);
    };
    const clients = new Set<Socket>();
    const server = createServer((socket) => {
      clients.add(socket);
      socket.on('error', () => {}).on('close', () => clients.delete(socket));
      serve(socket, take, give);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(databaseUrl);
    url.port = String((server.address() as AddressInfo).port);
    return new TransactionPooler(url.href, server, backends, clients);
  }

  async close(): Promise<void> {
    for (const socket of this.clients) socket.destroy();
    this.server.close();
    for (const { socket } of this.backends) socket.destroy();
  }
}

async function connect(databaseUrl: string): Promise<Backend> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  // From here on its bytes are the pooler's.
  stream.removeAllListeners('data');
  return { client, socket: stream };
}

/** Moves the messages of one client, which sends no statement before it has the answer to the one before. */
function serve(client: Socket, take: () => Promise<Backend>, give: (backend: Backend) => void): void {
  let started = false;
  let backend: Promise<Backend> | undefined;
  client.on('data', async (bytes: Buffer) => {
    if (!started) {
      started = bytes.readUInt32BE(4) !== SSL_REQUEST;
      client.write(started ? STARTUP_ANSWER : 'N');
    } else if (bytes[0] === TERMINATE) client.end();
    else {
      backend ??= take().then((taken) => {
        pass(taken.socket, client, () => {
          backend = undefined;
          give(taken);
        });
        return taken;
      });
      (await backend).socket.write(bytes);
    }
  });
}

/** Hands what a backend says to a client, until it says that it is in no transaction. */
function pass(backend: Socket, client: Socket, over: () => void): void {
  let held = Buffer.alloc(0);
  const onData = (data: Buffer) => {
    held = Buffer.concat([held, data]);
    let idle = false;
    while (held.length > 4 && held.length > held.readUInt32BE(1)) {
      idle = held[0] === READY && held[5] === IDLE;
      held = held.subarray(held.readUInt32BE(1) + 1);
    }
    // Before the client has the answer, as it may send the next statement at once.
    if (idle) {
      backend.off('data', onData);
      over();
    }
    client.write(data);
  };
  backend.on('data', onData);
}
