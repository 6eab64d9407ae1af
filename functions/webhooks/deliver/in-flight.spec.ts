import { expect, test } from 'vitest';
import type { Claim } from './delivery.js';
import { InFlight } from './in-flight.js';

const MIB = 1_024 * 1_024;
const LONG_MS = 60_000;

const claimOf = (endpointId: string, bytes = 0): Claim => ({
  endpointId,
  eventId: '1',
  attempt: 1,
  waitMs: 0,
  claimed: '',
  bytes,
});

/** Places claims in this order. `placed`: those that have their place so far. */
function placing(inFlight: InFlight, claims: readonly Claim[]): { placed: () => Promise<string[]> } {
  const placed: string[] = [];
  for (const claim of claims) {
    inFlight.begin(claim);
    void inFlight.place(claim, LONG_MS).then((is) => is && placed.push(claim.endpointId));
  }
  return {
    placed: async () => {
      await new Promise(setImmediate);
      return placed;
    },
  };
}

test('an endpoint is busy with more than 16 claims, and not any more when one ends', () => {
  const inFlight = new InFlight();
  const claims = Array.from({ length: 17 }, () => claimOf('a'));
  for (const claim of claims.slice(1)) inFlight.begin(claim);
  expect(inFlight.busy()).toEqual([]);
  inFlight.begin(claimOf('a'));
  expect(inFlight.busy()).toEqual(['a']);
  inFlight.end(claimOf('a'), false);
  expect(inFlight.busy()).toEqual([]);
});

test('no more are claimed than 512 together', () => {
  const inFlight = new InFlight();
  expect(inFlight.endpoints()).toBe(20);
  for (let n = 0; n < 400; n++) inFlight.begin(claimOf(`e${n}`));
  expect(inFlight.endpoints()).toBe(7);
  for (let n = 0; n < 97; n++) inFlight.begin(claimOf(`f${n}`));
  expect(inFlight.endpoints()).toBe(0);
});

test('the messages of one endpoint take 8 MiB, and do not stop those of another', async () => {
  const inFlight = new InFlight();
  const large = Array.from({ length: 4 }, () => claimOf('a', 4 * MIB));
  const { placed } = placing(inFlight, [...large, claimOf('b', 4 * MIB)]);
  expect(await placed()).toEqual(['a', 'a', 'b']);
  inFlight.end(claimOf('a', 4 * MIB), true);
  expect(await placed()).toEqual(['a', 'a', 'b', 'a']);
});

test('large messages take 32 MiB, and none overtakes a larger one for ever', async () => {
  const inFlight = new InFlight();
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
  const { placed } = placing(inFlight, [...names.map((name) => claimOf(name, 4 * MIB)), claimOf('j', MIB)]);
  expect(await placed()).toEqual(names.slice(0, 8));
  inFlight.end(claimOf('a', 4 * MIB), true);
  expect(await placed()).toEqual([...names, 'j'].slice(0, 9));
});

test('a small message waits for no large ones, and frees no memory that it has not taken', async () => {
  const inFlight = new InFlight();
  const large = ['a', 'b', 'c', 'd'].map((name) => claimOf(name, 8 * MIB));
  const small = claimOf('a', 64 * 1_024);
  const { placed } = placing(inFlight, [...large, claimOf('e', 64 * 1_024 + 1), small, small]);
  expect(await placed()).toEqual(['a', 'b', 'c', 'd', 'a', 'a']);
  inFlight.end(small, true);
  inFlight.end(small, true);
  expect(await placed()).toEqual(['a', 'b', 'c', 'd', 'a', 'a']);
  inFlight.end(claimOf('a', 8 * MIB), true);
  expect(await placed()).toEqual(['a', 'b', 'c', 'd', 'a', 'a', 'e']);
});

test('a message that is over the limit goes without other large ones', async () => {
  const inFlight = new InFlight();
  const { placed } = placing(inFlight, [claimOf('a', 40 * MIB), claimOf('b', MIB)]);
  expect(await placed()).toEqual(['a']);
  inFlight.end(claimOf('a', 40 * MIB), true);
  expect(await placed()).toEqual(['a', 'b']);
});

test('who waits too long, or while it is closed, gets no place and leaves none behind', async () => {
  const inFlight = new InFlight();
  placing(inFlight, [claimOf('a', 8 * MIB)]);
  expect(await inFlight.place(claimOf('a', MIB), 0)).toBe(false);
  const waiting = inFlight.place(claimOf('a', MIB), LONG_MS);
  inFlight.close();
  expect([await waiting, await inFlight.place(claimOf('b', 1), LONG_MS)]).toEqual([false, false]);
});

test('news that came before the wait ends it', async () => {
  const inFlight = new InFlight();
  inFlight.begin(claimOf('a'));
  inFlight.end(claimOf('a'), false);
  const began = performance.now();
  await inFlight.untilMore(LONG_MS);
  expect(performance.now() - began).toBeLessThan(LONG_MS);
});
