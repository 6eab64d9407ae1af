import { beforeEach, expect, test, vi } from 'vitest';
import { type Counts, DISPATCH, Duties } from './duties.js';
import type { Log } from './telemetry/log.js';

const MINUTE_MS = 60_000;
const never = new AbortController().signal;
const away = new Error('away');

let lines: unknown[];
let duties: Duties;
let runs: string[];

beforeEach(() => {
  lines = [];
  runs = [];
  const line = (fields: object, msg: string) => lines.push({ ...fields, msg });
  duties = new Duties({ info: line, error: line } as unknown as Log);
});

function add(
  name: string,
  work: Counts | Error | Promise<Counts> = {},
  { alone = false, serverOnly = false, everyMs = MINUTE_MS } = {},
) {
  duties.add({
    name,
    everyMs,
    alone,
    serverOnly,
    run: async () => {
      runs.push(name);
      if (work instanceof Error) throw work;
      return work;
    },
  });
}

/** Work that is under way until `end` is called with its counts. */
function pending(): [work: Promise<Counts>, end: (counts: Counts) => void] {
  let end: (counts: Counts) => void = () => {};
  const work = new Promise<Counts>((resolve) => {
    end = resolve;
  });
  return [work, (counts) => end(counts)];
}

test('a pass of dispatch runs all duties but those of a function or the server', async () => {
  add('erasing', { erased: 2 });
  add(DISPATCH, { published: 1, failed: 0 });
  add('ingest', { accepted: 1 }, { alone: true });
  add('publish', { published: 1 }, { serverOnly: true });
  expect(await duties.pass(DISPATCH, never)).toEqual({ published: 1, failed: 0, erased: 2 });
  expect(runs.sort()).toEqual([DISPATCH, 'erasing']);
});

test('a pass of another name runs that duty alone', async () => {
  add(DISPATCH);
  add('erasing');
  add('ingest', { accepted: 0 }, { alone: true });
  expect(await duties.pass('ingest', never)).toEqual({ accepted: 0 });
  expect(runs).toEqual(['ingest']);
  await expect(duties.pass('nobody', never)).rejects.toThrow('no duty has the name nobody');
});

test('one that fails is logged and does not stop the others', async () => {
  add(DISPATCH, { published: 1 });
  add('erasing', away);
  add('dropping', { dropped: 3 });
  expect(await duties.pass(DISPATCH, never)).toEqual({ published: 1, dropped: 3 });
  expect(lines).toHaveLength(3);
  expect(lines).toContainEqual({ duty: 'erasing', err: away, msg: 'a duty failed; it is run again' });
});

test('a pass fails with its own duty, and only when none runs any more', async () => {
  const [sweep, end] = pending();
  add(DISPATCH, away);
  add('sweeping', sweep);
  let failed = false;
  const pass = duties.pass(DISPATCH, never).catch((error: unknown) => {
    failed = true;
    return error;
  });
  await new Promise(setImmediate);
  expect(failed).toBe(false);
  end({ swept: 1 });
  expect(await pass).toBe(away);
  expect(lines).toEqual([{ duty: 'sweeping', swept: 1, msg: 'a duty is done' }]);
});

test('only what did something has a line in the log', async () => {
  add(DISPATCH, { published: 0, failed: 1 });
  add('erasing', { erased: 0 });
  await duties.pass(DISPATCH, never);
  expect(lines).toEqual([{ duty: DISPATCH, published: 0, failed: 1, msg: 'a duty is done' }]);
});

test('each is repeated at its own interval, also after a failure, until the stop', async () => {
  const stop = new AbortController();
  add('erasing', away, { everyMs: 1 });
  add('ingest', {}, { everyMs: 1, alone: true });
  add('publish', {}, { everyMs: 1, serverOnly: true });
  add(DISPATCH);
  const repeating = duties.repeat(stop.signal);
  const times = (name: string) => runs.filter((run) => run === name).length;
  await vi.waitUntil(() => times('erasing') > 2 && times('ingest') > 2 && times('publish') > 2);
  stop.abort();
  await repeating;
  expect(times(DISPATCH)).toBe(1);
});

test('what needs PostgreSQL alone can be repeated by itself, and so can the rest', async () => {
  const stop = new AbortController();
  duties.add({
    name: 'bill',
    everyMs: MINUTE_MS,
    needsPostgresOnly: true,
    run: async () => ({ issued: runs.push('bill') }),
  });
  add(DISPATCH);
  const early = duties.repeat(stop.signal, 'needs-postgres-only');
  await vi.waitUntil(() => runs.length > 0);
  expect(runs).toEqual(['bill']);
  const later = duties.repeat(stop.signal, 'needs-all');
  await vi.waitUntil(() => runs.length > 1);
  stop.abort();
  await Promise.all([early, later]);
  expect(runs).toEqual(['bill', DISPATCH]);
});

test('an outage of a repeated duty is logged when it begins and ends, and a bug within it', async () => {
  const stop = new AbortController();
  const bug = new TypeError('a bug');
  const results = [away, new Error('away, by another address'), bug, bug, {}, {}];
  duties.add({
    name: 'publish',
    everyMs: 1,
    run: async () => {
      const result = results.shift() ?? {};
      if (results.length === 0) stop.abort();
      if (result instanceof Error) throw result;
      return result;
    },
  });
  await duties.repeat(stop.signal);
  expect(lines).toEqual([
    { duty: 'publish', err: away, msg: 'a duty failed; it is run again' },
    { duty: 'publish', err: bug, msg: 'a duty failed; it is run again' },
    { duty: 'publish', msg: 'a duty runs again' },
  ]);
});

test('a duty that is under way is waited for at the stop', async () => {
  const stop = new AbortController();
  const [sweep, end] = pending();
  add('sweeping', sweep);
  let ended = false;
  const repeating = duties.repeat(stop.signal).then(() => {
    ended = true;
  });
  stop.abort();
  await new Promise(setImmediate);
  expect(ended).toBe(false);
  end({});
  await repeating;
  expect(runs).toEqual(['sweeping']);
});

test('nothing is begun after the stop', async () => {
  add(DISPATCH);
  await duties.repeat(AbortSignal.abort());
  expect(runs).toEqual([]);
});
