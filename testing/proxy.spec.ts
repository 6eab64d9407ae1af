import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TcpProxy } from './proxy.js';
import { untilTrue } from './until.js';

let service: Server;
let proxy: TcpProxy;
let heard: string;

beforeEach(async () => {
  service = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(service, 'listening');
  heard = '';
  const url = `tcp://127.0.0.1:${(service.address() as AddressInfo).port}`;
  proxy = await TcpProxy.openTo(url, 1, (bytes) => {
    heard += String(bytes);
  });
});

afterEach(async () => {
  await proxy.close();
  service.close();
});

function caller(): Socket {
  return connect(proxy.port, '127.0.0.1').on('error', () => {});
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [bytes] = await once(socket, 'data');
  return String(bytes);
}

test('an open proxy hands on all, and hears the service', async () => {
  expect(await echoed(caller(), 'hello')).toBe('hello');
  expect([heard, proxy.connections]).toEqual(['hello', 1]);
});

test('a held one swallows what the caller says, with the connection open', async () => {
  const socket = caller();
  await echoed(socket, 'hello');
  proxy.hold();
  socket.write('again');
  await untilTrue(() => proxy.swallowed === 5, 'five bytes are swallowed');
  expect([heard, socket.destroyed]).toEqual(['hello', false]);
});

test('a held one that is opened breaks what it held, and lets the next one through', async () => {
  const socket = caller();
  await echoed(socket, 'hello');
  proxy.hold();
  socket.write('again');
  await untilTrue(() => proxy.swallowed === 5, 'five bytes are swallowed');
  await Promise.all([once(socket, 'close'), proxy.open()]);
  expect(await echoed(caller(), 'again')).toBe('again');
});

test('a silenced connection hands on nothing, either way, not even its end, and the next one goes through', async () => {
  const socket = caller();
  const [[far]] = (await Promise.all([once(service, 'connection'), echoed(socket, 'hello')])) as [[Socket], string];
  proxy.silence();
  const ended: string[] = [];
  socket.on('data', (bytes) => ended.push(String(bytes))).on('close', () => ended.push('close'));
  socket.write('again');
  far.write('unasked');
  far.destroy();
  expect(await echoed(caller(), 'next')).toBe('next');
  expect([heard, ended]).toEqual(['hellonext', []]);
});

test('an open one that is opened stays as it is', async () => {
  const socket = caller();
  await echoed(socket, 'hello');
  await proxy.open();
  expect(await echoed(socket, 'again')).toBe('again');
});

test('a cut breaks what is open, and lets the next one through', async () => {
  const socket = caller();
  await echoed(socket, 'hello');
  proxy.cut();
  await once(socket, 'close');
  expect(await echoed(caller(), 'again')).toBe('again');
});

test('a closed one refuses, and is open again on its port', async () => {
  await proxy.close();
  const [refused] = await once(connect(proxy.port, '127.0.0.1'), 'error');
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.open();
  expect(await echoed(caller(), 'hello')).toBe('hello');
});
