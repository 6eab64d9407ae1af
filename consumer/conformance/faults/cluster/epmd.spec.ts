import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../../services/ports.js';
import { until } from '../../../../testing/until.js';
import { Epmd } from './epmd.js';

const IS_AT = 119;

async function request(port: number, bytes: number[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(Buffer.from([bytes.length >> 8, bytes.length & 255, ...bytes]));
  return socket;
}

/** Registers as a node does: for as long as the connection is open. */
async function register(epmd: Epmd, name: string, port: number): Promise<void> {
  const bytes = [120, port >> 8, port & 255, 77, 0, 0, 6, 0, 5, 0, name.length, ...Buffer.from(name), 0, 0];
  const socket = await request(epmd.port, bytes);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'data');
}

async function whereIs(epmd: Epmd, name: string): Promise<number> {
  const socket = await request(epmd.port, [122, ...Buffer.from(name)]);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect([answer[0], answer[1]]).toEqual([IS_AT, 0]);
  return answer.readUInt16BE(2);
}

test('a node is reached through the mapper, except while it is cut off', async () => {
  const node = createServer((socket) => void socket.on('error', () => {}).write('hello')).listen(0, '127.0.0.1');
  await once(node, 'listening');
  onTestFinished(() => void node.close());
  const epmd = await Epmd.listen(await freePort());
  onTestFinished(() => epmd.close());
  const { port } = node.address() as { port: number };
  await register(epmd, 'one', port);
  await register(epmd, 'two', 9);
  const way = await whereIs(epmd, 'one');
  expect(way).not.toBe(port);
  const greet = async (from: string) => {
    const socket = connect(way, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`N....${from}@localhost`);
    return socket;
  };
  const joined = await greet('two');
  await once(joined, 'data');
  epmd.cut('one@localhost');
  await until(() => expect(joined.destroyed).toBe(true));
  const refused = await greet('two');
  await once(refused, 'close');
  expect(refused.bytesRead).toBe(0);
  const tool = await greet('rabbitmqcli-1');
  await once(tool, 'data');
  epmd.mend();
  await once(await greet('two'), 'data');
});
