import { expect, test } from 'vitest';
import { type Outlet, publishAll, Supply } from './publish.js';
import { type Message, Stream } from './stream.js';
import { Tally } from './tally.js';

const NEVER = new AbortController().signal;
const shares = { types: ['user-app'], bad: 0.1, duplicate: 0.3, seed: 3 };

/** An outlet of a few batches, which counts what is in flight. `confirm` is called with each batch. */
class TestOutlet implements Outlet {
  readonly batch = 3;
  readonly window = 4;
  most = 0;
  readonly sent: Message[] = [];
  #inFlight = 0;

  constructor(private readonly confirm: (messages: readonly Message[]) => Promise<void>) {}

  async send(messages: readonly Message[]): Promise<void> {
    this.most = Math.max(this.most, ++this.#inFlight);
    expect(messages.length).toBeLessThanOrEqual(this.batch);
    this.sent.push(...messages);
    await this.confirm(messages).finally(() => this.#inFlight--);
  }

  async waiting(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {}
}

test('exactly the count is published, never more than the window at once', async () => {
  const stream = new Stream(shares, 'run');
  const outlet = new TestOutlet(() => new Promise((resolve) => setImmediate(resolve)));
  await publishAll(new Supply(stream, { rate: 1_000_000, count: 1_000 }, NEVER), outlet);
  expect([stream.made, outlet.sent.length, new Set(outlet.sent).size, outlet.most]).toEqual([1_000, 1_000, 1_000, 4]);
});

test('told to stop, it makes no more and waits for what is in flight', async () => {
  const stop = new AbortController();
  const stream = new Stream(shares, 'run');
  let confirm = () => {};
  const confirmed = new Promise<void>((resolve) => {
    confirm = resolve;
  });
  // Told while one batch is in flight, and there is room for more.
  const outlet = new TestOutlet(() => {
    stop.abort();
    return confirmed;
  });
  let over = false;
  const supply = new Supply(stream, { rate: 100, count: Number.POSITIVE_INFINITY }, stop.signal);
  const publishing = publishAll(supply, outlet).then(() => {
    over = true;
  });
  await expect.poll(() => outlet.most).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(over).toBe(false);
  confirm();
  await publishing;
  expect([stream.made, outlet.most]).toEqual([outlet.sent.length, 1]);
});

test('what waiting does not heal ends it at once, though others are in flight', async () => {
  let calls = 0;
  const outlet = new TestOutlet(() => (++calls === 2 ? Promise.reject(new Error('refused')) : new Promise(() => {})));
  const supply = new Supply(new Stream(shares, 'run'), { rate: 1_000_000, count: 1_000 }, NEVER);
  await expect(publishAll(supply, outlet)).rejects.toThrow('refused');
});

test('the rate bounds what is handed out', async () => {
  const supply = new Supply(new Stream(shares, 'run'), { rate: 100, count: Infinity }, NEVER);
  const began = performance.now();
  let taken = 0;
  while (taken < 20) taken += (await supply.take(1_000)).length;
  // Never faster than asked; how much slower is the machine's affair.
  expect(taken).toBeLessThanOrEqual(((performance.now() - began) / 1_000) * 100 + 1);
});

test('a tally counts an event once, its repeats and the bad ones apart', () => {
  const tally = new Tally();
  const stream = new Stream(shares, 'run');
  const messages = Array.from({ length: 500 }, () => stream.next());
  for (const message of messages.toReversed()) tally.confirm(message, `b:${message.id}`);
  const bad = messages.filter(({ event }) => event === undefined);
  const distinct = new Set(messages.map(({ event }) => event)).size - 1;
  expect(tally.summary).toEqual({
    published: 500,
    distinct,
    bad: bad.length,
    duplicates: 500 - distinct - bad.length,
  });
  expect(tally.badKeys).toEqual(bad.toReversed().map(({ id }) => `b:${id}`));
});
