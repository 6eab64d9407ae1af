import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../services/ports.js';
import { ApiStage } from '../../testing/api-stage.js';
import { RawClient } from '../../testing/raw-client.js';

const LOGIN = 'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const OPENAPI = 'GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';

describe('clients that are silent or slow', () => {
  let stage: ApiStage;

  beforeAll(async () => {
    stage = await ApiStage.open({
      env: { API_HEADERS_TIMEOUT_S: '1', API_BODY_TIMEOUT_S: '1', API_KEEP_ALIVE_S: '1' },
    });
  });

  afterAll(() => stage?.close());

  test('one that sends nothing is closed', async () => {
    const client = RawClient.to(stage.url);
    expect(await client.closed).toBe('end');
    expect(client.statuses).toEqual([408]);
  });

  test('one whose headers come a byte at a time is closed', async () => {
    const client = RawClient.to(stage.url);
    const drip = setInterval(() => client.socket.write('x'), 100);
    client.socket.write('GET / HTTP/1.1\r\nX-Slow: ');
    await client.closed;
    clearInterval(drip);
    expect(client.statuses).toEqual([408]);
  });

  test('one that falls silent within a body is closed', async () => {
    const client = await RawClient.beginning(stage.url);
    client.socket.write('{');
    await client.closed;
    expect(client.statuses).toEqual([100]);
  });

  test('one whose body goes on coming is answered, however long it takes', async () => {
    const client = RawClient.to(stage.url);
    const body = `{${' '.repeat(20)}}`;
    client.socket.write(`${LOGIN}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
    let sent = 0;
    // More than twice the time that it may be silent.
    const drip = setInterval(() => client.socket.write(body[sent++] ?? ''), 100);
    await client.closed;
    clearInterval(drip);
    expect(client.statuses).toEqual([400]);
  });

  test('one whose body was refused before it came is closed, too', async () => {
    const client = RawClient.to(stage.url);
    client.socket.write('POST /api/user HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n');
    await stage.until(() => client.statuses.length > 0, 'the refusal');
    client.socket.write('{}');
    await client.closed;
    expect(client.statuses).toEqual([415]);
  });

  test('one that asks for nothing more is closed', async () => {
    const client = RawClient.to(stage.url);
    client.socket.write(OPENAPI);
    expect(await client.closed).toBe('end');
    expect(client.statuses).toEqual([200]);
  });
});

describe('clients that are too many', () => {
  let stage: ApiStage;
  let clients: RawClient[];

  afterEach(() => stage?.close());

  async function connect(count: number): Promise<void> {
    for (let at = 0; at < count; at++) clients.push(RawClient.to(stage.url));
    await stage.until(() => clients.every(({ socket }) => !socket.connecting), 'all are connected');
  }

  async function answered(client: RawClient | undefined): Promise<void> {
    client?.socket.write(OPENAPI);
    await stage.until(() => client?.statuses.length === 1, 'it is answered');
  }

  test('one over the maximum is closed, and the others are answered', async () => {
    stage = await ApiStage.open({ env: { API_MAX_CONNECTIONS: '3' } });
    clients = [];
    await connect(4);
    expect(await clients[3]?.closed).toMatch(/^(end|ECONNRESET)$/);
    for (const client of clients.slice(0, 3)) await answered(client);
    clients[0]?.socket.destroy();
    await clients[0]?.closed;
    const { body } = await stage.api<string>('GET', '/metrics');
    expect(body).toContain('\ndisparo_api_connections 3\n');
    expect(body).toContain('\ndisparo_api_connections_refused_total 1\n');
  });

  test('a process that is full leaves them to another one, until all are full', async () => {
    const port = String(await freePort());
    stage = await ApiStage.open({ env: { API_MAX_CONNECTIONS: '3', API_PROCESSES: '2', API_PORT: port } });
    clients = [];
    await connect(6);
    for (const client of clients) await answered(client);
    expect(await RawClient.to(stage.url).closed).toBe('ECONNREFUSED');
    for (const client of clients.splice(0, 4)) client.socket.destroy();
    await stage.until(async () => {
      const client = RawClient.to(stage.url);
      client.socket.write(OPENAPI);
      await Promise.race([client.closed, new Promise((resolve) => client.socket.once('data', resolve))]);
      client.socket.destroy();
      return client.statuses[0] === 200;
    }, 'there is room again');
  });
});
