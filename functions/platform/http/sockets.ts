import type { Server } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Config, SocketConfig } from '../config.js';
import { memberNumber } from '../processes/member.js';
import type { Runtime } from '../runtime.js';

const SECOND_MS = 1_000;
/** How often Node looks for headers that are late, at most. */
const LOOK_MS = 5_000;
/**
 * A process that is full stops listening, so that the kernel gives what comes to the others, and listens again when it is
 * this full. When it is alone, or all of them are full, what comes is refused.
 */
const ROOM = 0.95;

/**
 * How long a client may be silent, as Fastify and Node take it. There is no limit for a whole request: an upload may take
 * as long as it brings something.
 */
export function socketTimeouts({ keepAliveS, headersTimeoutS }: SocketConfig): FastifyHttpOptions<Server> {
  const headersTimeout = headersTimeoutS * SECOND_MS;
  return {
    keepAliveTimeout: keepAliveS * SECOND_MS,
    requestTimeout: 0,
    http: { requestTimeout: 0, headersTimeout, connectionsCheckingInterval: Math.min(headersTimeout / 4, LOOK_MS) },
  };
}

/**
 * Bounds the sockets of clients, closes those that are silent within a body, and counts the others. A client costs a socket
 * and what it has sent so far: of JSON up to the limit of its route in memory, of a file on disk. Nothing waits for it.
 */
export function limitSockets(fastify: FastifyInstance, config: Config, runtime: Runtime, registry: Registry): void {
  const { server } = fastify;
  const { max, bodyTimeoutS } = config.sockets;
  const takesTurns = memberNumber !== undefined && config.apiPort !== 0;
  const refused = socketMetrics(config, registry, () => open);
  let open = 0;
  let aside = false;
  const returnToListening = () => {
    if (!aside || open > max * ROOM || runtime.stopping.aborted) return;
    aside = false;
    server.listen({ port: config.apiPort, host: config.apiHost, backlog: config.sockets.backlog });
  };
  // Before the other listeners: Node's own leaves a socket alone that is destroyed.
  server.prependListener('connection', (socket: Socket) => {
    if (open >= max) {
      refused.inc();
      socket.destroy();
      return;
    }
    open += 1;
    socket.once('close', () => {
      open -= 1;
      returnToListening();
    });
    if (open < max || !takesTurns || aside || runtime.stopping.aborted) return;
    aside = true;
    // As a plain server of sockets: HTTP's own close() would also close the connections that are idle.
    NetServer.prototype.close.call(server);
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    if (raw.headers['transfer-encoding'] !== undefined || Number(raw.headers['content-length'] ?? 0) > 0) {
      raw.socket.setTimeout(bodyTimeoutS * SECOND_MS);
      // After the answer to a refused body the socket has the time-out of one that is kept alive: that stays.
      raw.once('end', () => {
        if (!reply.raw.writableFinished) raw.socket.setTimeout(0);
      });
    }
    done();
  });
}

/** Returns the counter of refused connections. */
function socketMetrics({ apiProcesses }: Config, registry: Registry, open: () => number): Counter {
  const registers = [registry];
  gaugeOf('disparo_api_connections', 'Open sockets of clients.', open, { registers });
  gaugeOf('disparo_api_processes', 'Processes that share the port and have answered this scrape.', () => 1, {
    registers,
  });
  gaugeOf('disparo_api_processes_wanted', 'API_PROCESSES.', () => apiProcesses, { registers, aggregator: 'max' });
  return new Counter({
    name: 'disparo_api_connections_refused_total',
    help: 'Connections closed at once, as the process had API_MAX_CONNECTIONS open.',
    registers,
  });
}

function gaugeOf(
  name: string,
  help: string,
  value: () => number,
  options: { registers: Registry[]; aggregator?: 'max' },
): void {
  new Gauge({
    name,
    help,
    ...options,
    collect() {
      this.set(value());
    },
  });
}
