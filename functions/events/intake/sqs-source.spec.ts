import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { ConfigurationError, Interrupted } from '@disparo/contract';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OwnSqs } from '../../../testing/own-sqs.js';
import { until } from '../../../testing/until.js';
import type { EventSource } from './event-source.js';
import { openSqs, type SqsDelivery } from './sqs-source.js';

type Entries = { Entries?: { Id: string }[] };
type Answer = { status: number; body: object };

const LIMITS = { deliveries: 500, lingerMs: 3 };

let sqs: OwnSqs;
let front: Front;
let stop: AbortController;
let opened: EventSource<SqsDelivery>[];

/** Stands in front of the emulator: keeps what is asked, and may answer in its place. */
class Front {
  readonly asked: { action: string; entries: number }[] = [];
  /** Polls that wait: each that brought something was followed by another. */
  open = 0;
  instead: (action: string, body: Entries) => Answer | undefined = () => undefined;
  readonly #server: Server;
  url = '';

  private constructor(private readonly behind: string) {
    this.#server = createServer((request, response) => void this.#pass(request, response));
  }

  static async open(behind: string): Promise<Front> {
    const front = new Front(behind);
    front.#server.listen(0, '127.0.0.1');
    await once(front.#server, 'listening');
    front.url = `http://127.0.0.1:${(front.#server.address() as AddressInfo).port}`;
    return front;
  }

  of(action: string): number[] {
    return this.asked.filter((each) => each.action === action).map(({ entries }) => entries);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [target, body] = [String(request.headers['x-amz-target']), await text(request)];
    const action = target.replace('AmazonSQS.', '');
    const parsed = JSON.parse(body) as Entries;
    this.asked.push({ action, entries: parsed.Entries?.length ?? 0 });
    if (action === 'ReceiveMessage') {
      this.open += 1;
      response.on('close', () => {
        this.open -= 1;
      });
    }
    const instead = this.instead(action, parsed);
    const type = { 'content-type': 'application/x-amz-json-1.0' };
    if (instead) return void response.writeHead(instead.status, type).end(JSON.stringify(instead.body));
    const leaves = new AbortController();
    response.on('close', () => leaves.abort());
    const { authorization = '' } = request.headers;
    const headers = { ...type, 'x-amz-target': target, authorization };
    const passed = await fetch(this.behind, { method: 'POST', headers, body, signal: leaves.signal }).catch(
      () => undefined,
    );
    if (passed) response.writeHead(passed.status, type).end(await passed.text());
  }
}

beforeEach(async () => {
  sqs = await OwnSqs.open();
  front = await Front.open(sqs.config.endpoint);
  stop = new AbortController();
  opened = [];
});

afterEach(async () => {
  stop.abort();
  for (const source of opened) await source.release([]);
  await front.close();
  await sqs.close();
});

const told: [object, string][] = [];
const log = { debug: (fields: object, sentence: string) => void told.push([fields, sentence]) };

async function open(config: Partial<OwnSqs['config']> = {}): Promise<EventSource<SqsDelivery>> {
  const source = await openSqs({ ...sqs.config, endpoint: front.url, ...config }, stop.signal, log);
  opened.push(source);
  return source;
}

const bodies = (count: number) => Array.from({ length: count }, (_, at) => `event ${at}`);

/** Receives until it has so many. */
async function received(source: EventSource<SqsDelivery>, count: number): Promise<SqsDelivery[]> {
  const all: SqsDelivery[] = [];
  while (all.length < count) all.push(...(await source.receive({ ...LIMITS, deliveries: count - all.length })));
  return all;
}

/** Waits until all have been received and every poll waits again: then none is on its way. */
const allBuffered = (count: number) =>
  until(async () => expect([(await sqs.counts()).hidden, front.open]).toEqual([count, 8]));

test('a long poll is woken by a send, and what is done is gone', async () => {
  const source = await open();
  const receiving = source.receive(LIMITS);
  await until(() => expect(front.of('ReceiveMessage').length).toBe(8));
  const [id] = await sqs.send(['olá']);
  const deliveries = await receiving;
  expect(deliveries).toEqual([{ body: Buffer.from('olá'), key: `b:${id}`, handle: expect.any(String) }]);
  expect(await sqs.counts()).toEqual({ ready: 0, hidden: 1 });
  await source.done(deliveries);
  expect(await sqs.counts()).toEqual({ ready: 0, hidden: 0 });
});

test('the endpoint is asked, whatever host the URL of the queue has', async () => {
  await open();
  expect(new URL(sqs.queue.url).origin).not.toBe(front.url);
  await until(() => expect(front.of('ReceiveMessage').length).toBe(8));
  expect(front.of('GetQueueUrl').length).toBe(1);
});

test('released messages are ready at once, buffered ones too, and no poll takes them', async () => {
  const source = await open();
  await sqs.send(bodies(40));
  await allBuffered(40);
  const taken = await received(source, 15);
  await source.release(taken);
  await until(async () => expect(await sqs.counts()).toEqual({ ready: 40, hidden: 0 }));
  expect((await sqs.drain()).sort()).toEqual(bodies(40).sort());
});

test('a stop ends receiving, gives the buffer back and leaves the current batch to be done', async () => {
  const source = await open();
  await sqs.send(bodies(40));
  await allBuffered(40);
  const taken = await received(source, 15);
  stop.abort();
  await until(async () => expect(await sqs.counts()).toEqual({ ready: 25, hidden: 15 }));
  await source.done(taken);
  expect(await source.receive(LIMITS)).toEqual([]);
  expect(await sqs.counts()).toEqual({ ready: 25, hidden: 0 });
});

test('the buffer stops asking at 1,000, and asks again when there is place', async () => {
  const source = await open();
  await sqs.send(bodies(1_200));
  await until(async () => expect((await sqs.counts()).hidden).toBe(1_000));
  expect((await sqs.drain()).length).toBe(200);
  const batch = await source.receive(LIMITS);
  expect(batch.length).toBe(500);
  const ids = await sqs.send(bodies(30));
  const rest = await received(source, 530);
  expect(new Set(rest.map(({ key }) => key)).size).toBe(530);
  expect(
    rest
      .slice(-30)
      .map(({ key }) => key)
      .sort(),
  ).toEqual(ids.map((id) => `b:${id}`).sort());
});

test('the buffer stops asking where large messages could fill it over 16 MiB, and asks again when there is place', async () => {
  const [large, most] = [256 * 1_024, 8 * 10];
  for (let count = 0; count < most + 20; count++) await sqs.send(['x'.repeat(large)]);
  const source = await open();
  // The first eight polls cannot know how large messages are.
  await until(async () => {
    expect(front.open).toBe(0);
    const { hidden } = await sqs.counts();
    expect(hidden).toBeGreaterThan((16 * 1_024 * 1_024) / large - 2 * 10);
    expect(hidden).toBeLessThanOrEqual(most);
  });
  expect((await received(source, most + 20)).length).toBe(most + 20);
});

test('a batch has at most four MiB, and at least one message', async () => {
  const source = await open();
  for (let count = 0; count < 20; count++) await sqs.send(['x'.repeat(256 * 1_024)]);
  await until(async () => expect((await sqs.counts()).hidden).toBe(20));
  await until(() => expect(front.of('ReceiveMessage').length).toBeGreaterThan(20));
  expect((await source.receive({ deliveries: 500, lingerMs: 50 })).length).toBe(16);
});

test('messages are deleted ten at a time, eight requests under way', async () => {
  const source = await open();
  await sqs.send(bodies(125));
  await source.done(await received(source, 125));
  expect(front.of('DeleteMessageBatch').sort()).toEqual([...Array.from({ length: 12 }, () => 10), 5]);
  expect(await sqs.counts()).toEqual({ ready: 0, hidden: 0 });
});

test('a message that SQS did not delete is no error: it is told, and comes again', async () => {
  const source = await open();
  await sqs.send(bodies(12));
  const deliveries = await received(source, 12);
  const failed = { Id: '0', SenderFault: true, Code: 'ReceiptHandleIsInvalid' };
  front.instead = (action, { Entries = [] }) =>
    action === 'DeleteMessageBatch'
      ? { status: 200, body: { Successful: Entries.slice(1).map(({ Id }) => ({ Id })), Failed: [failed] } }
      : undefined;
  told.length = 0;
  await source.done(deliveries);
  const fields = { queue: 'events', messages: 1, codes: ['ReceiptHandleIsInvalid'] };
  const line = [fields, 'messages were not deleted: they come again'];
  expect([told, source.lost.aborted]).toEqual([[line, line], false]);
  expect(await sqs.counts()).toEqual({ ready: 0, hidden: 12 });
});

test('a session is lost when it cannot ask, and settles nothing more', async () => {
  const source = await open();
  await sqs.send(['one']);
  const deliveries = await source.receive(LIMITS);
  const receiving = source.receive(LIMITS).catch((error: unknown) => error);
  await front.close();
  expect(await receiving).toBeInstanceOf(Interrupted);
  expect([source.lost.aborted, (source.lost.reason as { code?: string }).code]).toEqual([true, 'ECONNREFUSED']);
  await expect(source.done(deliveries)).rejects.toBeInstanceOf(Interrupted);
});

test('a session is lost when a message cannot be deleted', async () => {
  const source = await open();
  await sqs.send(['one']);
  const deliveries = await source.receive(LIMITS);
  front.instead = (action) =>
    action === 'DeleteMessageBatch' ? { status: 400, body: { __type: 'com.amazonaws.sqs#InvalidAddress' } } : undefined;
  await expect(source.done(deliveries)).rejects.toBeInstanceOf(Interrupted);
  expect(source.lost.aborted).toBe(true);
});

test('a queue that is not there is a wrong configuration', async () => {
  const wrong = new ConfigurationError('EVENTS_SQS_QUEUE', 'there is no queue of this name in this region: "other"');
  await expect(open({ queue: 'other' })).rejects.toEqual(wrong);
});

test.each([
  ['AccessDenied', 'EVENTS_SQS_QUEUE'],
  ['AccessDeniedException', 'EVENTS_SQS_QUEUE'],
  ['InvalidClientTokenId', 'AWS_ACCESS_KEY_ID'],
  ['UnrecognizedClientException', 'AWS_ACCESS_KEY_ID'],
  ['SignatureDoesNotMatch', 'AWS_ACCESS_KEY_ID'],
  ['ExpiredToken', 'AWS_ACCESS_KEY_ID'],
])('%s is a wrong configuration', async (code, variable) => {
  front.instead = () => ({ status: 403, body: { __type: code, message: 'no' } });
  const error: unknown = await open().catch((refused: unknown) => refused);
  expect(error).toBeInstanceOf(ConfigurationError);
  expect((error as Error).message).toMatch(new RegExp(`^${variable}: `));
});

test.each(['RequestThrottled', 'ServiceUnavailable', 'RequestExpired'])('%s is worth a retry', async (code) => {
  front.instead = () => ({ status: 400, body: { __type: code, message: 'later' } });
  await expect(open()).rejects.toMatchObject({ name: code });
});

test('a closed port is worth a retry, and a stop while opening is no failure', async () => {
  await front.close();
  await expect(open({ endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  stop.abort();
  await expect(open({ endpoint: 'http://127.0.0.1:1' })).rejects.toBeInstanceOf(Interrupted);
});
