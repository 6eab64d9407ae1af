import { createServer, type Server } from 'node:http';
import { ConfigurationError } from '@disparo/contract';
import type { Stores } from './connect.js';
import type { Services } from './consume.js';
import type { Report } from './report.js';

const PING_TIMEOUT_MS = 1_000;

/** Serves `GET /health` and `GET /metrics`. Throws ConfigurationError when the port cannot be opened. */
export async function serveHealth(port: number, stores: Stores, services: Services, report: Report): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET') response.writeHead(405, { allow: 'GET' }).end();
    else if (path === '/metrics')
      response.writeHead(200, { 'content-type': report.registry.contentType }).end(await report.registry.metrics());
    else if (path === '/health') {
      const health = await checkHealth(stores, services);
      const code = health.status === 'up' ? 200 : 503;
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(health));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE';
      reject(new ConfigurationError('METRICS_PORT', inUse ? `port ${port} is in use` : error.message));
    });
    server.listen(port, resolve);
  });
  return server;
}

/** What the loop knows, and a ping of each store: an idle loop does not notice that a store went away. */
async function checkHealth({ postgres, mongo }: Stores, services: Services) {
  const [postgresAnswers, mongoAnswers] = await Promise.all([
    answers(services.postgres.isUp, () =>
      // @types/pg does not know that a single query may have a time-out of its own.
      postgres.query({ text: 'SELECT 1', query_timeout: PING_TIMEOUT_MS } as { text: string }),
    ),
    answers(services.mongodb.isUp, () => mongo.command({ ping: 1 }, { timeoutMS: PING_TIMEOUT_MS })),
  ]);
  const rabbitAnswers = services.rabbitmq.isUp;
  const word = (up: boolean) => (up ? 'up' : 'down');
  return {
    status: word(postgresAnswers && mongoAnswers && rabbitAnswers),
    postgres: word(postgresAnswers),
    mongodb: word(mongoAnswers),
    rabbitmq: word(rabbitAnswers),
  };
}

/** A store that the loop saw down counts as down without a ping: the loop tries it again by itself. */
async function answers(isUp: boolean, ping: () => Promise<unknown>): Promise<boolean> {
  if (!isUp) return false;
  return ping().then(
    () => true,
    () => false,
  );
}
