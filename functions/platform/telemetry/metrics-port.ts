import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { ConfigurationError } from '@disparo/contract';
import type { Registry } from 'prom-client';

/**
 * Serves `GET /health`, a word for each service and 503 when one is down, and `GET /metrics`, on all interfaces, for a process
 * without the API. Throws ConfigurationError when the port cannot be opened.
 */
export async function serveMetrics(
  port: number,
  registry: Registry,
  services: () => Promise<Record<string, boolean>>,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET') response.writeHead(405, { allow: 'GET' }).end();
    else if (path === '/metrics')
      response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
    else if (path === '/health') {
      const up = await services();
      const isUp = Object.values(up).every(Boolean);
      const words = Object.fromEntries(Object.entries(up).map(([service, is]) => [service, is ? 'up' : 'down']));
      response.writeHead(isUp ? 200 : 503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ status: isUp ? 'up' : 'down', ...words }));
    } else response.writeHead(404).end();
  });
  server.listen(port);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigurationError('METRICS_PORT', code === 'EADDRINUSE' ? `port ${port} is in use` : message);
  }
  return server;
}
