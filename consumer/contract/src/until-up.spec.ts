import { describe, expect, it } from 'vitest';
import { ConfigurationError } from './configuration.js';
import { backoffMs, Interrupted, Service, untilUp } from './until-up.js';

const AT_MOST = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000];

function service() {
  const said: string[] = [];
  const log = { info: (line: string) => said.push(line), error: (line: string) => said.push(line) };
  const store = new Service('MongoDB', 'MONGODB_URL', 'mongodb://user:segredo@host/x', log);
  return { said, store };
}
const coded = (code: string | number, message = 'a driver says') => Object.assign(new Error(message), { code });

describe('backoff', () => {
  it('is 100 ms, doubled up to 10 s, when chance takes nothing', () => {
    expect(AT_MOST.map((_, index) => backoffMs(index + 1, () => 0))).toEqual(AT_MOST);
  });

  it('is never shortened by more than a half', () => {
    expect(AT_MOST.map((_, index) => backoffMs(index + 1, () => 1))).toEqual(AT_MOST.map((most) => most / 2));
  });

  it('stays at 10 s after a million failures', () => {
    expect(backoffMs(1_000_000, () => 0)).toBe(10_000);
  });
});

describe('untilUp', () => {
  const never = new AbortController().signal;

  it('tries again until it succeeds, and says each change of state once', async () => {
    const { said, store } = service();
    const refused = Object.assign(coded('ECONNREFUSED'), { address: '::1', port: 27_017 });
    const answers = [refused, coded('ECONNRESET'), 'done'];
    const result = await untilUp(never, store, async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    });
    expect(result).toBe('done');
    expect(store.isUp).toBe(true);
    expect(said).toEqual(['waiting for MongoDB: connection refused at ::1:27017', 'MongoDB is back']);
  });

  it('does not retry a bug', async () => {
    const { store } = service();
    const bug = new TypeError('x is undefined');
    await expect(untilUp(never, store, () => Promise.reject(bug))).rejects.toBe(bug);
  });

  it('stops at a refusal before the first success, and retries the same after it', async () => {
    const { said, store } = service();
    const refused = coded(18, 'Authentication failed.');
    await expect(untilUp(never, store, () => Promise.reject(refused))).rejects.toBeInstanceOf(ConfigurationError);
    store.succeeded();
    store.failed(refused);
    expect(said).toEqual(['waiting for MongoDB: the user or the password is wrong']);
  });

  it('throws Interrupted when the signal fires while it waits, and tries nothing after that', async () => {
    const { store } = service();
    const stop = new AbortController();
    let attempts = 0;
    const waiting = untilUp(stop.signal, store, async () => {
      attempts++;
      stop.abort();
      throw coded('ECONNRESET');
    });
    await expect(waiting).rejects.toBeInstanceOf(Interrupted);
    await expect(untilUp(stop.signal, store, async () => attempts++)).rejects.toBeInstanceOf(Interrupted);
    expect(attempts).toBe(1);
  });

  it('takes an action that returns nothing as done', async () => {
    const { store } = service();
    let attempts = 0;
    const nothing = async () => {
      attempts++;
    };
    await expect(untilUp(never, store, nothing)).resolves.toBeUndefined();
    expect(attempts).toBe(1);
  });

  it('hands over what was done although the signal fired meanwhile', async () => {
    const { store } = service();
    const stop = new AbortController();
    const done = untilUp(stop.signal, store, async () => {
      stop.abort();
      return 5;
    });
    await expect(done).resolves.toBe(5);
  });
});
