import { afterEach, expect, test } from 'vitest';
import { ContractServer, type Misbehaviour } from './contract-server.js';
import { type LoadOptions, loadUsers } from './load-users.js';

let server: ContractServer;
afterEach(() => server.close());

async function loaded(misbehaves?: Misbehaviour, options: Partial<LoadOptions> = {}) {
  server = new ContractServer(misbehaves);
  const target = await server.listen();
  const figures = await loadUsers({ users: 30, seed: 1, sockets: 3, targets: [target], ...options });
  const reached = (times: Float64Array) => times.filter((at) => at >= 0).length;
  const { answers, repeated, problems, openAtOnce } = figures;
  return {
    answers,
    repeated,
    problems,
    openAtOnce,
    accepted: reached(figures.acceptedMs),
    ended: reached(figures.endedMs),
  };
}

const GOOD = { answers: { 202: 30 }, repeated: 0, problems: {}, openAtOnce: 3, accepted: 30, ended: 30 };

test('every user is sent once and followed to its end', async () => {
  expect(await loaded()).toEqual(GOOD);
  expect(server.requests).toEqual({ POST: 30, GET: 30 });
});

test('told not to follow, it asks for no job', async () => {
  expect(await loaded(undefined, { follow: false })).toEqual({ ...GOOD, ended: 0 });
  expect(server.requests).toEqual({ POST: 30, GET: 0 });
});

test('with a socket each, all are open before the first request', async () => {
  let open = 0;
  let early = 0;
  const opened = async () => {
    early = server.requests.POST;
  };
  const sockets = new Set<unknown>();
  const each: Misbehaviour = ({ socket }) => {
    sockets.add(socket);
    open = Math.max(open, sockets.size);
    return undefined;
  };
  const found = await loaded(each, { sockets: 30, processes: 2, oneEach: true, opened });
  expect(found).toEqual({ ...GOOD, openAtOnce: 30 });
  expect([early, open]).toEqual([0, 30]);
});

test('a 503 with Retry-After is sent again, and counted', async () => {
  const busy = { status: 503, headers: { 'retry-after': '0' }, body: { code: 'CONTACT.BUSY' } };
  const found = await loaded(({ method, nth }) => (method === 'POST' && nth < 5 ? busy : undefined));
  expect(found).toEqual({ ...GOOD, answers: { 202: 30, 503: 4 }, repeated: 4 });
});

test('a 503 without Retry-After, and another status, are problems', async () => {
  const wrong = [{ status: 503 }, { status: 500, body: { code: 'INTERNAL' } }];
  const found = await loaded(({ method, nth }) => (method === 'POST' ? wrong[nth - 1] : undefined));
  expect(found).toEqual({
    ...GOOD,
    answers: { 202: 28, 500: 1, 503: 1 },
    problems: { 'POST: answered 503': 1, 'POST: answered 500 INTERNAL': 1 },
    accepted: 28,
    ended: 28,
  });
});

test('a connection closed in the middle is no answer, and is opened again for the next user', async () => {
  const found = await loaded(({ method, nth, socket }) => {
    if (method !== 'POST' || nth !== 4) return undefined;
    socket.end('HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{"job":');
    return 'nothing';
  });
  expect(found).toEqual({
    ...GOOD,
    answers: { 202: 29 },
    problems: { 'POST: no answer, closed by the server': 1 },
    accepted: 29,
    ended: 29,
  });
});

test('a server that never answers costs one patience, and the rest goes on', async () => {
  const silent: Misbehaviour = ({ method, nth }) => (method === 'POST' && nth === 2 ? 'nothing' : undefined);
  expect(await loaded(silent, { answerMs: 1_000 })).toEqual({
    ...GOOD,
    answers: { 202: 29 },
    problems: { 'POST: no answer, none within 1 s': 1 },
    accepted: 29,
    ended: 29,
  });
});

test('a job that failed, is unknown, or has no number is a problem', async () => {
  const answers = {
    POST: [{ status: 202, body: { message: 'no job' } }],
    GET: [
      { status: 200, body: { status: 'failed', reason: 'conflict' } },
      { status: 400, body: { code: 'CONTACT.INVALID_JOB' } },
    ],
  };
  const found = await loaded(({ method, nth }) => answers[method === 'POST' ? 'POST' : 'GET'][nth - 1]);
  expect(found).toEqual({
    ...GOOD,
    problems: {
      'POST: answered 202 without a job': 1,
      'job failed, conflict': 1,
      'GET: answered 400 CONTACT.INVALID_JOB': 1,
    },
    ended: 28,
  });
});

test('a job is asked for again until it has ended, when a GET got no answer too', async () => {
  const found = await loaded(({ method, nth, socket }) => {
    if (method === 'POST' || nth > 3) return undefined;
    if (nth === 1) return { status: 200, body: { status: 'waiting' } };
    socket.destroy();
    return 'nothing';
  });
  expect(found).toEqual(GOOD);
  expect(server.requests.GET).toBe(33);
});

test('a server that is gone ends the load, and what was not sent is told', async () => {
  const found = await loaded(({ nth }) => {
    if (nth < 10) return undefined;
    server.close();
    return 'nothing';
  });
  const problems = Object.values(found.problems).reduce((sum, times) => sum + times, 0);
  expect(found.problems).toMatchObject({ 'POST: not sent': expect.any(Number) });
  expect([found.accepted < 30, found.ended, problems]).toEqual([true, 0, 30]);
});
