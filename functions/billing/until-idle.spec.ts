import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { untilIdle } from './until-idle.js';

const NEVER = new AbortController().signal;

test('ends when none of the works has anything to do', async () => {
  let owed = 3;
  const looks = [0, 0];
  const work = (which: 0 | 1) => async () => {
    looks[which] = (looks[which] ?? 0) + 1;
    await nextTurn();
    if (which === 1 || owed === 0) return false;
    owed -= 1;
    return true;
  };
  await untilIdle([work(0), work(1)], NEVER);
  expect(owed).toBe(0);
});

test('a work looks again after another has done something', async () => {
  let [boletos, mails, sent] = [2, 0, 0];
  const issue = async () => {
    await nextTurn();
    await nextTurn();
    if (boletos === 0) return false;
    boletos -= 1;
    mails += 1;
    return true;
  };
  const send = async () => {
    await nextTurn();
    if (mails === 0) return false;
    mails -= 1;
    sent += 1;
    return true;
  };
  await untilIdle([send, issue], NEVER);
  expect([boletos, mails, sent]).toEqual([0, 0, 2]);
});

test('a work that takes long does not delay the other', async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let owed = 5;
  const slow = async () => {
    await gate;
    return false;
  };
  const quick = async () => {
    if (owed === 0) return false;
    owed -= 1;
    if (owed === 0) release();
    return true;
  };
  await untilIdle([slow, quick], NEVER);
  expect(owed).toBe(0);
});

test('none begins anew after the stop', async () => {
  const stop = new AbortController();
  let rounds = 0;
  const endless = async () => {
    rounds += 1;
    if (rounds === 10) stop.abort();
    await nextTurn();
    return true;
  };
  await untilIdle([endless, async () => false], stop.signal);
  expect(rounds).toBe(10);
});

test('an error ends it when the other work has ended, too', async () => {
  let ended = false;
  const fails = async () => {
    throw new Error('away');
  };
  const goesOn = async () => {
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    ended = true;
    return true;
  };
  await expect(untilIdle([fails, goesOn], NEVER)).rejects.toThrow('away');
  expect(ended).toBe(true);
});
