import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Config, SocketConfig } from '../config.js';

const SECOND_MS = 1_000;
/** How often Node looks for headers that are late, at most. */
const LOOK_MS = 5_000;

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
 * Closes the sockets of clients that are too many or silent within a body, and counts the others. A client costs a socket
 * and no more: what it has sent so far waits in memory or in a file, and nothing waits for it.
 */
export function limitSockets(fastify: FastifyInstance, { sockets, apiProcesses }: Config, registry: Registry): void {
  const registers = [registry];
  let open = 0;
  const refused = new Counter({
    name: 'disparo_api_connections_refused_total',
    help: 'Connections closed at once, as the process had API_MAX_CONNECTIONS open.',
    registers,
  });
  gaugeOf('disparo_api_connections', 'Open sockets of clients.', () => open, { registers });
  gaugeOf('disparo_api_processes', 'Processes that share the port and have answered this scrape.', () => 1, {
    registers,
  });
  gaugeOf('disparo_api_processes_wanted', 'API_PROCESSES.', () => apiProcesses, { registers, aggregator: 'max' });
  // Not maxConnections: with several processes, Node then offers the socket to the next one, in a loop that never ends while
  // all are full. Before the others: Node's own listener leaves a socket alone that is destroyed.
  fastify.server.prependListener('connection', (socket: Socket) => {
    if (open >= sockets.max) {
      refused.inc();
      socket.destroy();
      return;
    }
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
  });
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { raw } = request;
    if (raw.headers['transfer-encoding'] !== undefined || Number(raw.headers['content-length'] ?? 0) > 0) {
      raw.socket.setTimeout(sockets.bodyTimeoutS * SECOND_MS);
      raw.once('end', () => raw.socket.setTimeout(0));
    }
    done();
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
