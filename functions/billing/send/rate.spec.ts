import { expect, test } from 'vitest';
import { MailRate } from './rate.js';

test('so many begin in any 60 s, and the next when the oldest is a minute ago', () => {
  let now = 0;
  const rate = new MailRate(3, () => now);
  rate.took(2);
  now = 40_000;
  rate.took(1);
  expect([rate.free, rate.waitMs]).toEqual([0, 20_000]);
  now = 59_999;
  expect([rate.free, rate.waitMs]).toEqual([0, 1]);
  now = 60_000;
  expect([rate.free, rate.waitMs]).toEqual([2, 0]);
  rate.took(2);
  expect([rate.free, rate.waitMs]).toEqual([0, 40_000]);
});

test('without a limit any number may begin', () => {
  const rate = new MailRate(undefined);
  rate.took(1_000);
  expect([rate.free, rate.waitMs]).toEqual([Number.POSITIVE_INFINITY, 0]);
});
