import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { checkServer, probe, refusal, spread, thisMachine } from './limits.js';

const USUAL = { descriptors: 20_000, ports: 28_232 };
const BASE = 'http://127.0.0.1:3000';

test('a hundred thousand sockets go to several addresses, from several processes', async () => {
  const { processes, targets } = await spread(BASE, 100_000, USUAL);
  expect(processes).toBe(7);
  expect(targets.map(({ host }) => host)).toEqual([1, 2, 3, 4, 5, 6].map((last) => `127.0.0.${last}`));
  expect(new Set(targets.map(({ port, path }) => `${port}${path}`))).toEqual(new Set(['3000']));
});

test('a few sockets go to the address that was given, from one process', async () => {
  expect(await spread('http://127.0.0.9:3000/below/', 200, USUAL)).toEqual({
    processes: 1,
    targets: [{ host: '127.0.0.9', port: 3_000, path: '/below' }],
  });
});

test('too few descriptors are named with what to set', async () => {
  await expect(spread(BASE, 100_000, { ...USUAL, descriptors: 1_024 })).rejects.toThrow(
    'a process may open 1024 files here, and 100000 sockets in 64 processes need 1763: ulimit -n 20000',
  );
});

test('too few ports to another machine are named with what to set', async () => {
  await expect(spread('http://192.0.2.1:3000', 100_000, USUAL)).rejects.toThrow(
    'there are 28232 ports to one address (net.ipv4.ip_local_port_range)',
  );
});

test('a host that does not exist is named', async () => {
  await expect(spread('http://no-such-host.invalid:3000', 1, USUAL)).rejects.toThrow(
    'there is no host no-such-host.invalid',
  );
});

test('this machine has descriptors and ports', () => {
  const { descriptors, ports } = thisMachine();
  expect([descriptors >= 256, ports >= 1_000]).toEqual([true, true]);
});

test('a server on one address alone is found before the start', async () => {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const target = (host: string) => ({ host, port, path: '' });
  try {
    await probe([target('127.0.0.1')], 1);
    await expect(probe([target('127.0.0.1'), target('127.0.0.2')], 40_000)).rejects.toThrow(
      new RegExp(
        `^127.0.0.2:${port} takes no connection \\(ECONNREFUSED\\).*API_HOST=0.0.0.0 npm run server -- --processes 3$`,
      ),
    );
  } finally {
    server.close();
  }
});

test('a server with too few descriptors is found before the start, where it says how many it has', () => {
  const server = { residentBytes: undefined, processes: 1, mostDescriptors: 1_024, openDescriptors: 24 };
  expect(() => checkServer(server, 1_001, 1)).toThrow(
    "the server's processes may open 1000 more files, and 1001 sockets need one each: npm run server -- --processes 2",
  );
  checkServer(server, 1_000, 1);
  checkServer({ ...server, openDescriptors: undefined }, 1_001, 1);
  const three = { ...server, processes: 3, mostDescriptors: 4_096 };
  expect(() => checkServer(three, 3_049, 1)).toThrow('may open 3048 more files');
  checkServer(three, 3_048, 1);
});

test('sockets that were not open are counted by their reason, with what to set', () => {
  expect(refusal({ open: 5, notOpen: { EMFILE: 2, 'closed by the server': 3 } }, 10)).toMatch(
    /^5 of 10 sockets .*: 2 EMFILE \(.*ulimit -n 20000\); 3 closed by the server \(.*API_PROCESSES/,
  );
});
