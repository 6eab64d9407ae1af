import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { beforeEach, expect, test } from 'vitest';
import { Runtime } from '../../platform/runtime.js';
import { goneSignal } from './gone.js';

/** A connection: it closes by 'close'. */
let socket: EventEmitter & { destroyed?: boolean };

beforeEach(() => {
  socket = new EventEmitter();
});

/** A request on the connection, and its answer, which is whole by 'finish'. */
function request(kind: 'server' | 'function' = 'server') {
  const answer = Object.assign(new EventEmitter(), { writableFinished: false });
  const reply = { raw: answer, request: { raw: { socket } } } as unknown as FastifyReply;
  const gone = goneSignal(reply, new Runtime(kind));
  const finish = () => {
    answer.writableFinished = true;
    answer.emit('finish');
  };
  return { gone, finish };
}

function close(): void {
  socket.destroyed = true;
  socket.emit('close');
}

test('a client that leaves is gone for each request of its connection that is not answered', () => {
  const [answered, first, behind] = [request(), request(), request()];
  answered.finish();
  close();
  expect([answered, first, behind].map(({ gone }) => gone.aborted)).toEqual([false, true, true]);
});

test('a client that had left before it was listened for is gone', () => {
  close();
  expect(request().gone.aborted).toBe(true);
});

test('a function is told of no client that leaves', () => {
  const { gone } = request('function');
  close();
  expect([gone.aborted, request('function').gone.aborted]).toEqual([false, false]);
});

test('a connection keeps no listener of a request that is answered, however many there were', () => {
  const [first, ...more] = Array.from({ length: 3_000 }, () => request());
  for (const { finish } of more) finish();
  expect(socket.listenerCount('close')).toBe(1);
  first?.finish();
  expect(socket.eventNames()).toEqual([]);
});
