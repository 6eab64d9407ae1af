import { expect, test } from 'vitest';
import { INSIDE } from '../../../test/webhooks/inside.js';
import { isPublic, refusalOf } from './addresses.js';

const NOT_PUBLIC = 'must lead to a public address';

/** By IANA's registries of special-purpose addresses, with the first and the last of each block. */
const SPECIAL = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['169.254.0.0', '169.254.169.254', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '239.255.255.255'],
  ['240.0.0.0', '255.255.255.255'],
  ['::', '::1', '::127.0.0.1', '::8.8.8.8', '::ffff'],
  ['::ffff:0.0.0.0', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '::ffff:255.255.255.255'],
  ['::ffff:0:0:0', '::ffff:0:127.0.0.1', '::ffff:0:8.8.8.8'],
  ['64:ff9b::', '64:ff9b::127.0.0.1', '64:ff9b::10.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b::255.255.255.255'],
  ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['100::', '100::ffff:ffff:ffff:ffff', '100:0:0:1::', '100:0:0:1:ffff:ffff:ffff:ffff'],
  ['2001::', '2001::1', '2001:0:ffff::', '2001:1::1', '2001:2::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2001:10::', '2001:20::', '2001:30::'],
  ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2002::', '2002:7f00:1::', '2002:808:808::1', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['4000::', '5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '8000::1'],
  ['fc00::', 'fd00:ec2::254', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['fe80::', 'fe80::1', 'fe80::1%eth0', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
].flat();

/** Where clouds have metadata and secrets for their machines. */
const OF_CLOUDS = [
  '168.63.129.16',
  '169.254.169.254',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd20:ce::254',
];

/** The neighbours of those blocks, and well-known hosts. */
const PUBLIC = [
  ['1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
  ['169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '191.255.255.255', '192.0.1.0', '192.0.3.0'],
  ['192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '203.0.112.255', '223.255.255.255'],
  ['8.8.8.8', '2001:200::', '2001:4860:4860::8888', '2600::', '2a00:1450::1', '2803::1', '3ffe::1'],
  ['64:ff9b::8.8.8.8', '64:ff9b::808:808', '168.63.129.15', '168.63.129.17'],
].flat();

test('no special address is public, by block of its registry', () => {
  expect(SPECIAL.filter(isPublic)).toEqual([]);
});

test('no address of a cloud for its own machines is public, nor by way of IPv6', () => {
  const byNat64 = OF_CLOUDS.filter((address) => !address.includes(':')).map((address) => `64:ff9b::${address}`);
  expect([...OF_CLOUDS, ...byNat64].filter(isPublic)).toEqual([]);
});

test('the neighbours of special blocks are public', () => {
  expect(PUBLIC.filter((address) => !isPublic(address))).toEqual([]);
});

test.each(['', 'example.com', '1.2.3', '[8.8.8.8]', '8.8.8.8.', '2001:4860:4860::8888%eth0', '1.2.3.4/8'])(
  'what is no plain address is not public: %j',
  (address) => {
    expect(isPublic(address)).toBe(false);
  },
);

test.each(INSIDE)('a host inside is refused in each spelling: %s', (host) => {
  expect(refusalOf(`https://${host}/hooks`, false)).toBe(NOT_PUBLIC);
  expect(refusalOf(`https://${host}:8443/hooks`, false)).toBe(NOT_PUBLIC);
  expect(refusalOf(`https:${host}`, false)).toBe(NOT_PUBLIC);
  expect(refusalOf(`http://${host}/hooks`, true)).toBeUndefined();
});

test.each([
  ['https://example.com', undefined],
  ['HTTPS://Example.com:8443/a?b=c', undefined],
  ['https://8.8.8.8/hooks', undefined],
  ['https://[2001:4860:4860::8888]/hooks', undefined],
  ['https://localhost.example.com', undefined],
  ['https://mylocalhost', undefined],
  ['https://xn--p1ai.example/', undefined],
  ['http://example.com', 'must start with https://'],
  ['ftp://example.com', 'must start with https://'],
  ['file:///etc/passwd', 'must start with https://'],
  ['unix:/var/run/socket', 'must start with https://'],
  ['//example.com', 'is not a valid URL'],
  ['example.com', 'is not a valid URL'],
  ['', 'is not a valid URL'],
  ['https://', 'is not a valid URL'],
  ['https://?a', 'is not a valid URL'],
  ['https://exa mple.com', 'is not a valid URL'],
  ['https://1.2.3.4.5', 'is not a valid URL'],
  ['https://256.256.256.256', 'is not a valid URL'],
  ['https://example.0x7f', 'is not a valid URL'],
  ['https://[fe80::1%25eth0]', 'is not a valid URL'],
  ['https://example.com:70000', 'is not a valid URL'],
  ['https://ana@example.com', 'must not contain a user or a password'],
  ['https://:secret@example.com', 'must not contain a user or a password'],
  ['https://example.com@127.0.0.1', 'must not contain a user or a password'],
  ['https://example.com/#part', 'must not contain a fragment: it is never sent'],
  ['https://127.0.0.1\\@example.com', NOT_PUBLIC],
])('a URL is refused for its form: %j', (url, refusal) => {
  expect(refusalOf(url, false)).toBe(refusal);
});

test.each([
  ['http://example.com', undefined],
  ['https://192.168.0.1', undefined],
  ['ftp://127.0.0.1', 'must start with https://'],
  ['http://ana@127.0.0.1', 'must not contain a user or a password'],
  ['http://127.0.0.1#part', 'must not contain a fragment: it is never sent'],
  ['http://', 'is not a valid URL'],
])('allowing private addresses allows http, and nothing else: %s', (url, refusal) => {
  expect(refusalOf(url, true)).toBe(refusal);
});
