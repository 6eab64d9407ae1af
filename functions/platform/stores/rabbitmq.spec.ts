import { once } from 'node:events';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { readEnvironment } from '@disparo/contract';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ownName } from '../../../testing/databases.js';
import type { Config } from '../config.js';
import { Runtime } from '../runtime.js';
import { Broker } from './rabbitmq.js';
import { NotPublished } from './rabbitmq-channel.js';

const url = readEnvironment().RABBITMQ_URL ?? '';
const KEY = '0';
let connection: ChannelModel;
let channel: Channel;
let prefix: string;
let brokers: Broker[];

beforeAll(async () => {
  connection = await connect(url, { noDelay: true });
});

beforeEach(async () => {
  prefix = ownName();
  brokers = [];
  channel = await connection.createChannel();
});

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(brokers.map((broker) => broker.close()));
  for (const queue of ['campaigns.0', 'dead', 'full']) await channel.deleteQueue(`${prefix}.${queue}`);
  for (const exchange of ['campaigns', 'dead']) await channel.deleteExchange(`${prefix}.${exchange}`);
  await channel.close();
});

afterAll(() => connection.close());

function brokerAt(rabbitmqUrl = url, kind: Runtime['kind'] = 'server', queueType?: Config['queueType']): Broker {
  const config = { rabbitmqUrl, queuePrefix: prefix, queuePartitions: 1, queueType } as Config;
  const broker = new Broker(config, new Runtime(kind));
  brokers.push(broker);
  return broker;
}

function message(at: number | string) {
  return { content: Buffer.from(String(at)), properties: { messageId: `m${at}`, persistent: true } };
}

/** How each of the publishes ended: `confirmed`, or the reason. */
async function outcomes(publishes: Promise<void>[]): Promise<string[]> {
  const ended = await Promise.allSettled(publishes);
  return ended.map((each) => (each.status === 'fulfilled' ? 'confirmed' : (each.reason as NotPublished).reason));
}

async function queued(): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const next = await channel.get(`${prefix}.campaigns.0`, { noAck: true });
    if (!next) return found;
    found.push(next.content.toString());
  }
}

/** A proxy in front of the broker that can be cut, or stay silent while it looks alive. */
async function proxy(): Promise<{ url: string; cut(): void; silence(): void; connections(): number; close(): void }> {
  const to = new URL(url);
  const pairs: [Socket, Socket][] = [];
  const server: Server = createServer((client) => {
    const upstream = connectSocket(Number(to.port), to.hostname);
    pairs.push([client, upstream]);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const via = new URL(url);
  via.host = `127.0.0.1:${port}`;
  const each = (act: (client: Socket, upstream: Socket) => void): void => {
    for (const [client, upstream] of pairs) act(client, upstream);
  };
  const cut = (): void => each((client, upstream) => client.destroy() && upstream.destroy());
  return {
    url: via.href,
    cut,
    silence: () => each((client, upstream) => client.unpipe(upstream) && upstream.unpipe(client)),
    connections: () => pairs.length,
    close: () => {
      cut();
      server.close();
    },
  };
}

test('messages in flight together are all confirmed, and queued in the order they were given', async () => {
  const broker = brokerAt();
  const sent = Array.from({ length: 200 }, (_, at) => at);
  expect(await outcomes(sent.map((at) => broker.publish(KEY, message(at))))).toEqual(sent.map(() => 'confirmed'));
  expect(await queued()).toEqual(sent.map(String));
});

test('a message that no queue takes is returned, and not its neighbour in flight', async () => {
  const broker = brokerAt();
  await broker.ping();
  const publishes = [
    broker.publish(KEY, message(1)),
    broker.publish('nobody', message(2)),
    broker.publish(KEY, message(3)),
  ];
  expect(await outcomes(publishes)).toEqual(['confirmed', 'returned', 'confirmed']);
});

test('a queue that was deleted is declared again after the first return', async () => {
  const broker = brokerAt();
  await broker.ping();
  await channel.deleteQueue(`${prefix}.campaigns.0`);
  expect(await outcomes([broker.publish(KEY, message(1))])).toEqual(['returned']);
  expect(await outcomes([broker.publish(KEY, message(2))])).toEqual(['confirmed']);
  expect(await queued()).toEqual(['2']);
});

test('queues are of the type that QUEUE_TYPE names, and another is refused', async () => {
  expect(await outcomes([brokerAt(url, 'server', 'quorum').publish(KEY, message(1))])).toEqual(['confirmed']);
  await expect(brokerAt().ping()).rejects.toMatchObject({
    reason: 'refused',
    text: expect.stringMatching(/x-queue-type.*\.dead.*received none but current is the value 'quorum'/),
  });
});

test('a queue that is full says no', async () => {
  const broker = brokerAt();
  await broker.ping();
  await channel.assertQueue(`${prefix}.full`, {
    durable: true,
    arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
  });
  await channel.bindQueue(`${prefix}.full`, `${prefix}.campaigns`, 'full');
  expect(await outcomes([broker.publish('full', message(1))])).toEqual(['confirmed']);
  expect(await outcomes([broker.publish('full', message(2))])).toEqual(['nacked']);
});

test('a connection that is cut fails what is in flight, and the next publish has a new one', async () => {
  const way = await proxy();
  const broker = brokerAt(way.url);
  await broker.ping();
  way.silence();
  const lost = outcomes([broker.publish(KEY, message(1)), broker.publish(KEY, message(2))]);
  way.cut();
  expect(await lost).toEqual(['unreachable', 'unreachable']);
  expect(await outcomes([broker.publish(KEY, message(3))])).toEqual(['confirmed']);
  expect(way.connections()).toBe(2);
  way.close();
});

test('a silent broker is given up after ten seconds; the next publish has a new connection', async () => {
  const way = await proxy();
  const broker = brokerAt(way.url);
  await broker.ping();
  way.silence();
  const started = performance.now();
  expect(await outcomes([broker.publish(KEY, message(1))])).toEqual(['timeout']);
  expect(performance.now() - started).toBeGreaterThan(9_900);
  expect(await outcomes([broker.publish(KEY, message(2))])).toEqual(['confirmed']);
  way.close();
});

test('a function opens a new connection after a minute of sleep, a server does not', async () => {
  const way = await proxy();
  const [asFunction, asServer] = [brokerAt(way.url, 'function'), brokerAt(way.url, 'server')];
  await Promise.all([asFunction.ping(), asServer.ping()]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
  await Promise.all([asFunction.ping(), asServer.ping()]);
  expect(way.connections()).toBe(3);
  way.close();
});

test('a broker that is not there is unreachable; what cannot heal is refused, in words', async () => {
  expect(await outcomes([brokerAt('amqp://127.0.0.1:9').publish(KEY, message(1))])).toEqual(['unreachable']);
  const stranger = new URL(url);
  stranger.username = 'nobody';
  await expect(brokerAt(stranger.href).ping()).rejects.toMatchObject({
    reason: 'refused',
    text: expect.stringContaining('password is wrong'),
  });
  await channel.assertQueue(`${prefix}.dead`, { durable: true, arguments: { 'x-max-length': 5 } });
  await expect(brokerAt().ping()).rejects.toMatchObject({
    reason: 'refused',
    text: expect.stringContaining('exists with other arguments'),
  });
});

test('after a refusal has been mended the same broker publishes', async () => {
  await channel.assertQueue(`${prefix}.dead`, { durable: true, arguments: { 'x-max-length': 5 } });
  const broker = brokerAt();
  expect(await outcomes([broker.publish(KEY, message(1))])).toEqual(['refused']);
  await channel.deleteQueue(`${prefix}.dead`);
  expect(await outcomes([broker.publish(KEY, message(2))])).toEqual(['confirmed']);
});
