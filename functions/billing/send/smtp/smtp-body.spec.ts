import { PassThrough, Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LazyBody } from './smtp-body.js';

/** A socket that takes nothing before it is told to, and then all. */
class SlowSocket extends Writable {
  readonly taken: Buffer[] = [];
  #waiting: (() => void) | undefined;
  #isSlow = true;

  override _write(piece: Buffer, _: string, done: () => void): void {
    this.taken.push(piece);
    if (this.#isSlow) this.#waiting = done;
    else done();
  }

  takeAll(): void {
    this.#isSlow = false;
    this.#waiting?.();
  }

  get length(): number {
    return Buffer.concat(this.taken).length;
  }
}

/** Piped as the transport does it; `ends`: how often the end has come through, which makes the transport write the dot. */
function pipe(bytes: Buffer, mayGoOn: () => boolean = () => true) {
  const socket = new SlowSocket();
  const wire = new PassThrough();
  const body = new LazyBody(bytes, socket, mayGoOn);
  const seen = { ends: 0 };
  wire.once('end', () => seen.ends++);
  return { socket, body, seen, begin: () => body.pipe(wire).pipe(socket, { end: false }) };
}

/** More turns of the loop than anything here takes that waits for nothing else. */
async function manyTurns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await nextTurn();
}

test('nothing is given before the body is asked for', async () => {
  const { body, socket } = pipe(Buffer.alloc(100));
  await manyTurns();
  expect([body.begun, body.handedOver, socket.length]).toEqual([false, false, 0]);
});

test('the end waits until all before it has left the process', async () => {
  const { body, socket, seen, begin } = pipe(Buffer.alloc(20_000));
  begin();
  await manyTurns();
  expect([body.begun, body.handedOver, seen.ends]).toEqual([true, false, 0]);
  socket.takeAll();
  await manyTurns();
  expect([socket.length, body.handedOver, seen.ends]).toEqual([20_000, true, 1]);
});

test('the clock is read after that wait', async () => {
  let mayGoOn = true;
  const { body, socket, seen, begin } = pipe(Buffer.alloc(20_000), () => mayGoOn);
  begin();
  await manyTurns();
  mayGoOn = false;
  socket.takeAll();
  await manyTurns();
  expect([socket.length, body.handedOver, seen.ends]).toEqual([20_000, false, 0]);
});

test('before each piece it is asked again', async () => {
  let asked = 0;
  const { body, socket, begin } = pipe(Buffer.alloc(100_000), () => ++asked < 3);
  socket.takeAll();
  begin();
  await manyTurns();
  expect([asked, socket.length, body.handedOver]).toEqual([3, 32 * 1024, false]);
});

test('a body that is destroyed gives no end any more', async () => {
  const { body, socket, seen, begin } = pipe(Buffer.alloc(20_000));
  begin();
  await manyTurns();
  body.destroy();
  socket.takeAll();
  await manyTurns();
  expect([body.handedOver, seen.ends]).toEqual([false, 0]);
});

test('a mail without a byte has an end', async () => {
  const { body, socket, begin } = pipe(Buffer.alloc(0));
  socket.takeAll();
  begin();
  await manyTurns();
  expect(body.handedOver).toBe(true);
});
