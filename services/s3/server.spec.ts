import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Created, S3Server } from './server.js';

const KEYS = { accessKeyId: 'test', secretAccessKey: 'a secret' };
const AT = { Bucket: 'files', Key: 'uploads/one.txt' };

const folder = mkdtempSync(join(tmpdir(), 'disparo-s3-'));
const created: Created[] = [];
let server: S3Server;
let s3: S3Client;

const client = (credentials = KEYS) =>
  new S3Client({
    region: 'sa-east-1',
    endpoint: server.url,
    forcePathStyle: true,
    credentials,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });

beforeAll(async () => {
  const onCreated = (object: Created): void => {
    created.push(object);
  };
  server = await S3Server.open({ folder, bucket: AT.Bucket, keys: KEYS, onCreated });
  s3 = client();
});

afterAll(async () => {
  s3.destroy();
  await server.close();
  rmSync(folder, { recursive: true });
});

const signed = (size: number, signingDate = new Date()) =>
  getSignedUrl(s3, new PutObjectCommand({ ...AT, ContentLength: size }), { expiresIn: 3_600, signingDate });

async function put(url: string, body: string): Promise<[number, string | undefined]> {
  const response = await fetch(url, { method: 'PUT', body });
  return [response.status, /<Code>(\w+)</.exec(await response.text())?.[1]];
}

test('what the SDK writes it reads again, and removes', async () => {
  await s3.send(new PutObjectCommand({ ...AT, Body: 'olá' }));
  const [{ key, size, eTag } = { key: '', size: 0, eTag: '' }] = created;
  expect([key, size]).toEqual([AT.Key, 4]);
  const got = await s3.send(new GetObjectCommand(AT));
  expect([await got.Body?.transformToString(), got.ETag, got.ContentLength]).toEqual(['olá', `"${eTag}"`, 4]);
  expect(await s3.send(new HeadObjectCommand(AT))).toMatchObject({ ETag: `"${eTag}"`, ContentLength: 4 });
  await s3.send(new DeleteObjectCommand(AT));
  await s3.send(new DeleteObjectCommand(AT));
  await expect(s3.send(new GetObjectCommand(AT))).rejects.toMatchObject({ name: 'NoSuchKey' });
  await expect(s3.send(new HeadObjectCommand(AT))).rejects.toMatchObject({ name: 'NotFound' });
});

test('a signed URL takes what it was signed for, until it expires', async () => {
  expect(await put(await signed(5), 'first')).toEqual([200, undefined]);
  expect(await put(await signed(5), 'other size')).toEqual([403, 'SignatureDoesNotMatch']);
  const hours = (count: number) => new Date(Date.now() - count * 3_600_000);
  expect(await put(await signed(5, hours(0.9)), 'first')).toEqual([200, undefined]);
  expect(await put(await signed(5, hours(1.1)), 'first')).toEqual([403, 'AccessDenied']);
  expect(await put((await signed(5)).replace('X-Amz-Expires=3600', 'X-Amz-Expires=7200'), 'first')).toEqual([
    403,
    'SignatureDoesNotMatch',
  ]);
});

test('other keys, another bucket and nobody are not let in', async () => {
  const stranger = client({ ...KEYS, secretAccessKey: 'another' });
  const refused = { name: 'SignatureDoesNotMatch' };
  await expect(stranger.send(new PutObjectCommand({ ...AT, Body: 'x' }))).rejects.toMatchObject(refused);
  const elsewhere = new GetObjectCommand({ ...AT, Bucket: 'other' });
  await expect(s3.send(elsewhere)).rejects.toMatchObject({ name: 'NoSuchBucket' });
  expect((await fetch(`${server.url}/files/${AT.Key}`)).status).toBe(403);
  stranger.destroy();
});

test('a PUT that breaks off leaves the earlier object, and no partial file', async () => {
  await put(await signed(5), 'first');
  const url = await signed(1_000_000);
  const before = created.length;
  await new Promise<void>((resolve) => {
    const sending = request(url, { method: 'PUT', headers: { 'content-length': 1_000_000 } });
    sending.on('error', () => resolve());
    sending.write('x'.repeat(100_000), () => sending.destroy(new Error('breaks off')));
  });
  await expect.poll(() => readdirSync(join(folder, 'files', 'uploads'))).toEqual(['one.txt']);
  const got = await s3.send(new GetObjectCommand(AT));
  expect([await got.Body?.transformToString(), created.length]).toEqual(['first', before]);
});

test('a reader reads an object to its end, whatever is written meanwhile', async () => {
  const [first, second] = ['a', 'b'].map((letter) => letter.repeat(3_000_000)) as [string, string];
  await put(await signed(first.length), first);
  const got = await s3.send(new GetObjectCommand(AT));
  await put(await signed(second.length), second);
  expect((await got.Body?.transformToString()) === first).toBe(true);
});
