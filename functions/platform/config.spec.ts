import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigurationError } from '@disparo/contract';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from './config.js';

const SERVICES = {
  DATABASE_URL: 'postgresql://a:b@localhost/x',
  MONGODB_URL: 'mongodb://localhost/x',
  RABBITMQ_URL: 'amqp://localhost',
};
const SECRET = 'x'.repeat(32);
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'disparo-config-'));
});

afterEach(() => rmSync(root, { recursive: true }));

const load = (env: Record<string, string>, at: string | undefined = root) => loadConfig({ ...SERVICES, ...env }, at);

test('what is not said has a default', () => {
  expect(load({ JWT_SECRET: SECRET })).toEqual({
    databaseUrl: SERVICES.DATABASE_URL,
    mongodbUrl: SERVICES.MONGODB_URL,
    rabbitmqUrl: SERVICES.RABBITMQ_URL,
    queuePrefix: 'disparo',
    queuePartitions: 1,
    queueType: undefined,
    logLevel: 'info',
    apiHost: '127.0.0.1',
    apiPort: 3_000,
    sockets: { max: 18_000, backlog: 4_096, keepAliveS: 72, headersTimeoutS: 120, bodyTimeoutS: 300 },
    apiProcesses: 1,
    contactsPublic: true,
    contactsMaxWaiting: 1_000_000,
    contactsJobsKeepS: 86_400,
    eventsPrefetch: 500,
    eventsKeepDays: 30,
    webhooksAllowPrivate: false,
    pixOpen: true,
    smtp: undefined,
    pixTestMessages: true,
    sqs: undefined,
    metricsPort: undefined,
    jwtSecret: new TextEncoder().encode(SECRET),
    campaignQueueSlots: 500,
    healAfterS: 60,
    uploadLimitMib: 1_024,
    objectStore: undefined,
  });
});

test('a queue of SQS is enough for AWS, and may be elsewhere', () => {
  const queue = { JWT_SECRET: SECRET, EVENTS_SQS_QUEUE: 'disparo-events' };
  const sqs = { queue: 'disparo-events', endpoint: undefined, region: 'sa-east-1', credentials: undefined };
  expect(load(queue).sqs).toEqual(sqs);
  const SQS_ENDPOINT = 'http://127.0.0.1:4566';
  expect(load({ ...queue, SQS_ENDPOINT }).sqs).toEqual({ ...sqs, endpoint: SQS_ENDPOINT });
});

test('a bucket is enough for AWS; elsewhere an endpoint and a pair of keys come with it', () => {
  const { objectStore } = load({ JWT_SECRET: SECRET, UPLOAD_BUCKET: 'disparo-uploads' });
  expect(objectStore).toEqual({
    bucket: 'disparo-uploads',
    endpoint: undefined,
    region: 'sa-east-1',
    credentials: undefined,
  });
  const other = {
    UPLOAD_BUCKET: 'disparo-uploads',
    S3_ENDPOINT: 'http://127.0.0.1:7070',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  expect(load({ JWT_SECRET: SECRET, ...other }).objectStore).toEqual({
    bucket: 'disparo-uploads',
    endpoint: 'http://127.0.0.1:7070',
    region: 'us-east-1',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  });
});

test('a mail server and the address of its mails belong together', () => {
  const smtp = {
    JWT_SECRET: SECRET,
    SMTP_URL: 'smtps://me:secret@smtp.example.com',
    SMTP_FROM: 'cobranca@example.com',
  };
  expect(load(smtp).smtp).toEqual({
    url: new URL('smtps://me:secret@smtp.example.com'),
    from: 'cobranca@example.com',
    connections: 5,
    perMinute: undefined,
  });
  expect(load({ ...smtp, SMTP_CONNECTIONS: '2', SMTP_RATE: '60' }).smtp).toMatchObject({
    connections: 2,
    perMinute: 60,
  });
});

test('in a clone a secret is made once, for its owner only, and read from then on', () => {
  const { jwtSecret } = load({});
  const file = join(root, '.local', 'jwt-secret');
  expect(load({}).jwtSecret).toEqual(jwtSecret);
  expect(Buffer.from(jwtSecret).toString()).toBe(readFileSync(file, 'utf8').trim());
  expect([jwtSecret.length, statSync(file).mode & 0o777]).toEqual([64, 0o600]);
});

test('processes that start together agree on the secret', async () => {
  writeFileSync(join(root, '.env.example'), '');
  const module = new URL('../../dist/functions/platform/config.js', import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ loadConfig }) => console.log(Buffer.from(loadConfig().jwtSecret).toString()))`;
  const run = () =>
    promisify(execFile)(process.execPath, ['-e', code], { cwd: root, env: { PATH: process.env.PATH, ...SERVICES } });
  const secrets = await Promise.all(Array.from({ length: 6 }, async () => (await run()).stdout));
  expect(new Set(secrets).size).toBe(1);
  expect(readdirSync(join(root, '.local'))).toEqual(['jwt-secret']);
});

test.each([
  ['API_PORT', { API_PORT: '70000' }],
  ['UPLOAD_LIMIT_MIB', { UPLOAD_LIMIT_MIB: '0' }],
  ['UPLOAD_BUCKET', { UPLOAD_BUCKET: 'My bucket' }],
  ['S3_ENDPOINT', { S3_ENDPOINT: '127.0.0.1:7070' }],
  ['SMTP_FROM', { SMTP_URL: 'smtp://127.0.0.1:25' }],
  ['SMTP_FROM', { SMTP_URL: 'smtp://127.0.0.1:25', SMTP_FROM: 'Acme <a@example.com>' }],
  ['SMTP_URL', { SMTP_URL: 'https://smtp.example.com' }],
  ['SMTP_URL', { SMTP_URL: 'smtp:///mails', SMTP_FROM: 'a@example.com' }],
  ['SMTP_URL', { SMTP_URL: 'smtp://smtp.example.com:0', SMTP_FROM: 'a@example.com' }],
  ['SMTP_URL', { SMTP_URL: 'smtp://:secret@smtp.example.com', SMTP_FROM: 'a@example.com' }],
  ['SMTP_URL', { SMTP_URL: 'smtp://me:%ff@smtp.example.com', SMTP_FROM: 'a@example.com' }],
  ['SMTP_RATE', { SMTP_RATE: '0' }],
  ['JWT_SECRET', { JWT_SECRET: 'x'.repeat(31) }],
  ['JWT_SECRET', { JWT_SECRET: '', NODE_ENV: 'production' }],
] as [string, Record<string, string>][])('%s is refused by its name where it is %j', (variable, env) => {
  const given = Object.fromEntries(Object.entries({ JWT_SECRET: SECRET, ...env }).filter(([, value]) => value !== ''));
  expect(() => load(given)).toThrow(ConfigurationError);
  expect(() => load(given)).toThrow(new RegExp(`^${variable}: `));
});

test('outside of a clone a secret must be given', () => {
  const here = process.cwd();
  process.chdir(root);
  try {
    expect(() => loadConfig(SERVICES)).toThrow(/^JWT_SECRET: /);
  } finally {
    process.chdir(here);
  }
});
