import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  booleanKey,
  ConfigurationError,
  findRoot,
  integerKey,
  readEnvironment,
  type SharedConfiguration,
  sharedConfiguration,
  textKey,
  urlKey,
  wordKey,
} from '@disparo/contract';

/** The configuration of the API, read once a process. Injected by this class. */
export abstract class Config implements SharedConfiguration {
  abstract readonly databaseUrl: string;
  abstract readonly mongodbUrl: string;
  abstract readonly rabbitmqUrl: string;
  abstract readonly queuePrefix: string;
  abstract readonly queuePartitions: number;
  abstract readonly queueType: SharedConfiguration['queueType'];
  abstract readonly logLevel: SharedConfiguration['logLevel'];
  abstract readonly apiHost: string;
  /** 0: any free port, which the log names. */
  abstract readonly apiPort: number;
  abstract readonly sockets: SocketConfig;
  /** How many processes of the plain server share its port. 1: no cluster. */
  abstract readonly apiProcesses: number;
  /** Signs access tokens: 32 bytes or more. */
  abstract readonly jwtSecret: Uint8Array;
  /** The most queue messages of a campaign. It takes more only where one would hold more than MAX_CHUNK_NUMBERS. */
  abstract readonly campaignQueueSlots: number;
  /** Seconds until a chunk that is published and not stored counts as late (R7); doubled with each attempt. */
  abstract readonly healAfterS: number;
  /** In MiB: the largest file that the plain server takes, and the largest upload by URL anywhere. */
  abstract readonly uploadLimitMib: number;
  /** Where uploads by URL go; undefined: this API takes none. */
  abstract readonly objectStore: ObjectStoreConfig | undefined;
  /** False: the routes of contacts ask for a login. */
  abstract readonly contactsPublic: boolean;
  /** Jobs accepted and not done, over which no more are taken. */
  abstract readonly contactsMaxWaiting: number;
  /** Seconds from the end of a job until it can no longer be asked for. */
  abstract readonly contactsJobsKeepS: number;
  /** Unacknowledged events at most, shared by two batches under way. 0: this process takes from no queue. */
  abstract readonly eventsPrefetch: number;
  /** Days that an event is kept of which nothing is owed. */
  abstract readonly eventsKeepDays: number;
  /** True: webhooks may go to private addresses and over http, for work on one machine. */
  abstract readonly webhooksAllowPrivate: boolean;
  /** Whether messages of an ISPB that no company has bound may be collected without a key. */
  abstract readonly pixOpen: boolean;
  /** Whether a route makes Pix messages of invented people. */
  abstract readonly pixTestMessages: boolean;
  /** Where mails of billing go; undefined: nowhere, and they wait. */
  abstract readonly smtp: SmtpConfig | undefined;
  /** The queue of SQS from which events come; undefined: from RabbitMQ alone. */
  abstract readonly sqs: SqsConfig | undefined;
  /** Where the processor of events serves its health and metrics; undefined: nowhere. */
  abstract readonly metricsPort: number | undefined;
}

/** What the plain server does with the sockets of its clients, in each of its processes. */
export interface SocketConfig {
  /** A socket that comes over it is closed. */
  max: number;
  /** Connections that the kernel keeps until they are taken. */
  backlog: number;
  /** Until a connection that sends no next request is closed. */
  keepAliveS: number;
  /** In which the headers of a request must have come. */
  headersTimeoutS: number;
  /** Without a byte of a body that has not ended. */
  bodyTimeoutS: number;
}

/** A bucket of S3, or of another store with the same protocol. */
interface ObjectStoreConfig {
  bucket: string;
  /** Undefined: AWS. Clients send their files here too. */
  endpoint: string | undefined;
  region: string;
  credentials: Credentials;
}

/** A mail server, and how it is used. */
export interface SmtpConfig {
  /** `smtp:` or `smtps:`, with the user and password where it wants them. */
  url: URL;
  /** The address that mails come from. */
  from: string;
  /** The most connections of a process at once. */
  connections: number;
  /** The most mails that a process begins in a minute; undefined: no limit. */
  perMinute: number | undefined;
}

/** A queue of Amazon SQS, or of an emulator. */
export interface SqsConfig {
  queue: string;
  /** Undefined: AWS. */
  endpoint: string | undefined;
  region: string;
  credentials: Credentials;
}

/** Undefined: what the SDK finds by itself, for example the role of a function. */
type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;

const MIN_SECRET_BYTES = 32;

/** Reads all keys of the API. Throws ConfigurationError, which names the key, at the first that is wrong or missing. */
export function loadConfig(env: Record<string, string> = readEnvironment(), root = findRoot()): Config {
  return {
    ...sharedConfiguration(env),
    apiHost: textKey(env, 'API_HOST'),
    apiPort: integerKey(env, 'API_PORT'),
    sockets: {
      max: integerKey(env, 'API_MAX_CONNECTIONS'),
      backlog: integerKey(env, 'API_BACKLOG'),
      keepAliveS: integerKey(env, 'API_KEEP_ALIVE_S'),
      headersTimeoutS: integerKey(env, 'API_HEADERS_TIMEOUT_S'),
      bodyTimeoutS: integerKey(env, 'API_BODY_TIMEOUT_S'),
    },
    apiProcesses: integerKey(env, 'API_PROCESSES'),
    jwtSecret: jwtSecret(env, root),
    campaignQueueSlots: integerKey(env, 'CAMPAIGN_QUEUE_SLOTS'),
    healAfterS: integerKey(env, 'HEAL_AFTER_S'),
    uploadLimitMib: integerKey(env, 'UPLOAD_LIMIT_MIB'),
    objectStore: objectStore(env),
    contactsPublic: booleanKey(env, 'CONTACTS_PUBLIC'),
    contactsMaxWaiting: integerKey(env, 'CONTACTS_MAX_WAITING'),
    contactsJobsKeepS: integerKey(env, 'CONTACTS_JOBS_KEEP_S'),
    eventsPrefetch: integerKey(env, 'EVENTS_PREFETCH'),
    eventsKeepDays: integerKey(env, 'EVENTS_KEEP_DAYS'),
    webhooksAllowPrivate: booleanKey(env, 'WEBHOOKS_ALLOW_PRIVATE'),
    pixOpen: offInProduction(env, 'PIX_OPEN'),
    pixTestMessages: offInProduction(env, 'PIX_TEST_MESSAGES'),
    smtp: smtp(env),
    sqs: sqs(env),
    metricsPort: env.METRICS_PORT === undefined ? undefined : integerKey(env, 'METRICS_PORT'),
  };
}

/** `on` or `off`; when unset, off in production alone. */
function offInProduction(env: Record<string, string>, key: string): boolean {
  return env[key] === undefined ? env.NODE_ENV !== 'production' : wordKey(env, key) === 'on';
}

function smtp(env: Record<string, string>): SmtpConfig | undefined {
  const connections = integerKey(env, 'SMTP_CONNECTIONS');
  const perMinute = env.SMTP_RATE === undefined ? undefined : integerKey(env, 'SMTP_RATE');
  if (env.SMTP_URL === undefined) return undefined;
  const url = smtpUrl(urlKey(env, 'SMTP_URL'));
  if (env.SMTP_FROM === undefined)
    throw new ConfigurationError('SMTP_FROM', 'is not set, and SMTP_URL is; give the address that mails come from');
  return { url, from: textKey(env, 'SMTP_FROM'), connections, perMinute };
}

/** Throws ConfigurationError, which never shows the password. */
function smtpUrl(text: string): URL {
  const url = new URL(text);
  const { hostname, port, username, password } = url;
  const wrong = (problem: string) => new ConfigurationError('SMTP_URL', problem);
  if (hostname === '') throw wrong('names no host');
  if (port === '0') throw wrong('has the port 0, at which nobody listens');
  if (username === '' && password !== '') throw wrong('has a password and no user');
  for (const part of [username, password])
    try {
      decodeURIComponent(part);
    } catch {
      throw wrong('has a user or a password that is not URL-encoded: "%" is written "%25", "@" is written "%40"');
    }
  return url;
}

function sqs(env: Record<string, string>): SqsConfig | undefined {
  const endpoint = env.SQS_ENDPOINT === undefined ? undefined : urlKey(env, 'SQS_ENDPOINT');
  if (env.EVENTS_SQS_QUEUE === undefined) return undefined;
  return {
    queue: textKey(env, 'EVENTS_SQS_QUEUE'),
    endpoint,
    region: textKey(env, 'AWS_REGION'),
    credentials: credentials(env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN),
  };
}

function objectStore(env: Record<string, string>): ObjectStoreConfig | undefined {
  const endpoint = env.S3_ENDPOINT === undefined ? undefined : urlKey(env, 'S3_ENDPOINT');
  if (env.UPLOAD_BUCKET === undefined) return undefined;
  return {
    bucket: textKey(env, 'UPLOAD_BUCKET'),
    endpoint,
    region: textKey(env, 'AWS_REGION'),
    credentials: credentials(env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN),
  };
}

function credentials(accessKeyId?: string, secretAccessKey?: string, sessionToken?: string) {
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

function jwtSecret(env: Record<string, string>, root: string | undefined): Uint8Array {
  const given = env.JWT_SECRET;
  if (given !== undefined) return longEnough(Buffer.from(given), 'must be 32 bytes or more');
  if (env.NODE_ENV === 'production' || root === undefined)
    throw new ConfigurationError(
      'JWT_SECRET',
      'is not set; give 32 bytes or more, such as `openssl rand -hex 32` makes',
    );
  const file = join(root, '.local', 'jwt-secret');
  return longEnough(Buffer.from(localSecret(file)), 'the one under .local/jwt-secret is too short; remove that file');
}

function longEnough(secret: Buffer, problem: string): Uint8Array {
  if (secret.length < MIN_SECRET_BYTES) throw new ConfigurationError('JWT_SECRET', problem);
  return new Uint8Array(secret);
}

/** The secret in a file, made if it is missing. The file is whole or absent at any moment: link() fails where one exists. */
function localSecret(file: string): string {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(error);
  }
  try {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(temporary, `${randomBytes(MIN_SECRET_BYTES).toString('hex')}\n`, { mode: 0o600 });
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(error);
  } finally {
    rmSync(temporary, { force: true });
  }
  return readFileSync(file, 'utf8').trim();
}

function unusable(error: unknown): ConfigurationError {
  return new ConfigurationError('JWT_SECRET', `is not set and .local/jwt-secret cannot be used (${String(error)})`);
}
