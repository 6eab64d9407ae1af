import { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { Identifiers } from './identifiers.js';

const WORKER = new URL('../dist/identifiers.worker.js', import.meta.url);
const FORM = /^[a-z][a-z0-9]{23}$/;
const take = (identifiers: Identifiers, count: number) => Array.from({ length: count }, () => identifiers.take());

test('identifiers made here and made ahead are distinct and have the form of a cuid2', async () => {
  let blocks = 0;
  let worker: Worker | undefined;
  const identifiers = new Identifiers(() => {
    worker = new Worker(WORKER).on('message', () => blocks++);
    return worker;
  });
  const here = take(identifiers, 1_000);
  await vi.waitFor(() => expect(blocks).toBeGreaterThan(3), 20_000);
  const found = [...here, ...take(identifiers, 3 * 5_000)];
  await worker?.terminate();
  expect(found.filter((identifier) => !FORM.test(identifier))).toEqual([]);
  expect(new Set(found).size).toBe(found.length);
});

test('a few numbers need no thread', () => {
  const identifiers = new Identifiers(() => {
    throw new Error('a thread');
  });
  expect(new Set(take(identifiers, 999)).size).toBe(999);
});

test('a thread that dies costs nothing but speed', async () => {
  const worker = new Worker('throw new Error("dies")', { eval: true });
  const identifiers = new Identifiers(() => worker);
  take(identifiers, 1_000);
  await new Promise((resolve) => worker.on('exit', resolve));
  expect(identifiers.take()).toMatch(FORM);
});
