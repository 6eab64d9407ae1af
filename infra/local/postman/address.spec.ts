import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { freePort } from '../../../services/ports.js';
import { baseOf, healthyApi } from './address.js';

const UP = { status: 'up', postgres: 'up', mongodb: 'up', rabbitmq: 'up' };
const servers: Server[] = [];

afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) server.close();
});

/** A server with only one route, by default /api/health. */
async function api(status: number, body: unknown, path = '/api/health'): Promise<string> {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === path ? status : 404, { 'content-type': 'application/json' });
    response.end(url === path ? JSON.stringify(body) : '{"code":"NOT_FOUND"}');
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const nobody = async () => `http://127.0.0.1:${await freePort()}`;

test.each([
  ['http://127.0.0.1:3200', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api/', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api//', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api/docs', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api/docs#/users', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api/health', 'http://127.0.0.1:3200'],
  ['http://127.0.0.1:3200/api/openapi.json', 'http://127.0.0.1:3200'],
  ['127.0.0.1:3200', 'http://127.0.0.1:3200'],
  ['localhost:3200/api', 'http://localhost:3200'],
  ['http://[::1]:3200/api', 'http://[::1]:3200'],
  ['https://api.example.com/prod/api/', 'https://api.example.com/prod'],
  ['https://example.com/apis', 'https://example.com/apis'],
])('%s is the API at %s', (given, base) => {
  expect(baseOf(given)).toBe(base);
});

test.each(['ftp://127.0.0.1', 'amqp://127.0.0.1:5672', 'http://', 'two words', 'http://127.0.0.1:99999', ''])(
  '"%s" is not an address',
  (given) => {
    expect(() => baseOf(given)).toThrow(`"${given}" is not an address like http://127.0.0.1:3000`);
  },
);

test('without an address it is the newest API of this clone that is healthy', async () => {
  const [silent, ill, well, older] = [await nobody(), await api(503, UP), await api(200, UP), await api(200, UP)];
  expect(await healthyApi(undefined, [silent, ill, well, older])).toBe(well);
});

test('API_PORT in the environment wins over what else runs', async () => {
  const [meant, other] = [await api(200, UP), await api(200, UP)];
  vi.stubEnv('API_PORT', new URL(meant).port);
  expect(await healthyApi(undefined, [other])).toBe(meant);
});

test('an address that is given wins', async () => {
  const [given, other] = [await api(200, UP), await api(200, UP)];
  vi.stubEnv('API_PORT', new URL(other).port);
  expect(await healthyApi(`${given}/api/`, [other])).toBe(given);
});

test('an address where nobody answers is one line that names the API that does run', async () => {
  const base = await nobody();
  await expect(healthyApi(base, [])).rejects.toThrow(
    new RegExp(`^Nothing answers at ${base}: start the API with npm start, or give its address: .*$`),
  );
  await expect(healthyApi(base, ['http://127.0.0.1:3200'])).rejects.toThrow(
    `Nothing answers at ${base}; one of this clone runs at http://127.0.0.1:3200`,
  );
});

test('a running API that is unhealthy is not skipped for the configured one', async () => {
  const ill = await api(503, { ...UP, status: 'down', mongodb: 'down' });
  await expect(healthyApi(undefined, [ill])).rejects.toThrow(`The API at ${ill} is not healthy (503, down: mongodb)`);
});

test('an API without a service that the command does not need will do', async () => {
  const ill = await api(503, { ...UP, status: 'down', mongodb: 'down', rabbitmq: 'down' });
  const advice = { start: 'npm start', command: 'npm run it --' };
  expect(await healthyApi(ill, [], { ...advice, needs: ['postgres'] })).toBe(ill);
  await expect(healthyApi(ill, [], { ...advice, needs: ['postgres', 'mongodb'] })).rejects.toThrow(
    'is not healthy (503',
  );
});

test.each([
  [404, { code: 'NOT_FOUND' }],
  [200, { hello: 'world' }],
  [200, null],
  [200, 'up'],
])('an answer %i %j is not from Disparo', async (status, body) => {
  const base = await api(status, body);
  await expect(healthyApi(base, [])).rejects.toThrow(
    `What answers at ${base} is not Disparo's API (${status} at /api/health)`,
  );
});
