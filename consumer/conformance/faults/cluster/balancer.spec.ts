import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Balancer } from './balancer.js';

/** A server that sends its name to each connection. */
async function server(name: string): Promise<{ port: number; close(): void }> {
  const listening = createServer((socket) => socket.end(name)).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  onTestFinished(() => void listening.close());
  return { port: (listening.address() as { port: number }).port, close: () => listening.close() };
}

async function whoAnswers(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  let said = '';
  socket.on('data', (data) => {
    said += data;
  });
  await once(socket, 'close');
  return said;
}

test('connections go to the servers in turn, and never to one that is gone', async () => {
  const [first, second] = [await server('first'), await server('second')];
  const balancer = await Balancer.before([first.port, second.port]);
  onTestFinished(() => balancer.close());
  const ask = () => whoAnswers(balancer.port);
  expect([await ask(), await ask(), await ask()]).toEqual(['first', 'second', 'first']);
  first.close();
  expect([await ask(), await ask()]).toEqual(['second', 'second']);
  second.close();
  expect(await ask()).toBe('');
});

test('another server can take over the address', async () => {
  const [first, second] = [await server('first'), await server('second')];
  const balancer = await Balancer.before([first.port]);
  onTestFinished(() => balancer.close());
  balancer.targets = [second.port];
  expect(await whoAnswers(balancer.port)).toBe('second');
});
