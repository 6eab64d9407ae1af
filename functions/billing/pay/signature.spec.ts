import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { isSigned } from './signature.js';

const NOW = 1_800_000_000;
const BODY = Buffer.from('{"event_id":"E1"}');
const SECRETS = ['pay_new', 'pay_old'];

const hex = (secret: string, t: number | string = NOW, body: Buffer = BODY) =>
  createHmac('sha256', secret)
    .update(Buffer.concat([Buffer.from(`${t}.`), body]))
    .digest('hex');
const judge = (header: string | undefined, body = BODY, secrets = SECRETS, now = NOW) =>
  isSigned(header, body, secrets, now * 1_000);

test('a signature that openssl made is taken', () => {
  // printf '%s' '1800000000.{"event_id":"E1"}' | openssl dgst -sha256 -hmac pay_new
  const digest = 'fd2c8b6c798ff2abfc74018a220633cb37e3c947cd39d8542366b8ad239f409d';
  expect(judge(`t=1800000000,v1=${digest}`)).toBe(true);
});

test.each([
  ['by the newest secret', `t=${NOW},v1=${hex('pay_new')}`],
  ['by an earlier one', `t=${NOW},v1=${hex('pay_old')}`],
  ['by one of several', `t=${NOW},v1=${hex('nobodys')},v1=${hex('pay_old')}`],
  ['in upper case', `t=${NOW},v1=${hex('pay_new').toUpperCase()}`],
  ['in another order', `v1=${hex('pay_new')},t=${NOW}`],
  ['with blanks', ` t=${NOW} , v1=${hex('pay_new')} `],
  ['with a scheme to come', `t=${NOW},v2=whatever,v1=${hex('pay_new')}`],
  ['300 seconds ago', `t=${NOW - 300},v1=${hex('pay_new', NOW - 300)}`],
  ['300 seconds ahead', `t=${NOW + 300},v1=${hex('pay_new', NOW + 300)}`],
])('a signature fits %s', (_, header) => {
  expect(judge(header)).toBe(true);
});

test.each([
  ['none', undefined],
  ['an empty one', ''],
  ['no time', `v1=${hex('pay_new')}`],
  ['two times', `t=${NOW},t=${NOW},v1=${hex('pay_new')}`],
  ['a time that is no number', `t=now,v1=${hex('pay_new', 'now')}`],
  ['a time with a fraction', `t=${NOW}.0,v1=${hex('pay_new', `${NOW}.0`)}`],
  ['no digest', `t=${NOW}`],
  ['an empty digest', `t=${NOW},v1=`],
  ['a digest that is too short', `t=${NOW},v1=${hex('pay_new').slice(2)}`],
  ['a digest that is too long', `t=${NOW},v1=${hex('pay_new')}00`],
  ['a digest that is no hex', `t=${NOW},v1=${'z'.repeat(64)}`],
  ['one good digest and a broken one', `t=${NOW},v1=${hex('pay_new')},v1=x`],
  ['another scheme only', `t=${NOW},v0=${hex('pay_new')}`],
  ['text without a name', `${NOW},${hex('pay_new')}`],
  ['by a foreign secret', `t=${NOW},v1=${hex('nobodys')}`],
  ['of another time', `t=${NOW + 1},v1=${hex('pay_new')}`],
  ['301 seconds ago', `t=${NOW - 301},v1=${hex('pay_new', NOW - 301)}`],
  ['301 seconds ahead', `t=${NOW + 301},v1=${hex('pay_new', NOW + 301)}`],
])('a signature does not fit: %s', (_, header) => {
  expect(judge(header)).toBe(false);
});

test('a signature is of the very bytes', () => {
  const spoilt = Buffer.from([0x22, 0xff, 0x22]);
  const replaced = Buffer.from('"\ufffd"');
  const header = `t=${NOW},v1=${hex('pay_new', NOW, spoilt)}`;
  expect([judge(header, spoilt), judge(header, replaced)]).toEqual([true, false]);
});

test('where there is no secret, nothing fits', () => {
  const empty = ['', 'undefined'].map((secret) => judge(`t=${NOW},v1=${hex(secret)}`, BODY, []));
  expect(empty).toEqual([false, false]);
});
