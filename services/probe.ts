import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigurationError, refusal, serviceUrl } from '@disparo/contract';
import amqp from 'amqplib';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import type { Say, Variable } from './names.js';

const TIMEOUT_MS = 3_000;
const RETRY_MS = 300;

const CONNECT: Record<Variable, (url: string) => Promise<void>> = {
  async DATABASE_URL(url) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: TIMEOUT_MS });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
    } finally {
      await client.end().catch(() => {});
    }
  },
  async MONGODB_URL(url) {
    const client = new MongoClient(url, { serverSelectionTimeoutMS: TIMEOUT_MS, connectTimeoutMS: TIMEOUT_MS });
    try {
      await client.db().command({ ping: 1 });
    } finally {
      await client.close();
    }
  },
  async RABBITMQ_URL(url) {
    const connection = await amqp.connect(url, { timeout: TIMEOUT_MS });
    connection.on('error', () => {});
    const closed = once(connection, 'close');
    await connection.close();
    await closed;
  },
};

/** Explains a failed connection where the caller knows more than `refusal`: returns the error, or a better one. */
type Meaning = (error: unknown) => unknown;

const itself: Meaning = (error) => error;

/**
 * Whether the service behind a URL accepts us now, by connecting: true, or why not, in words without a secret. Throws
 * ConfigurationError for what no waiting heals.
 */
export async function answers(variable: Variable, url: string, meaning = itself): Promise<true | string> {
  try {
    await CONNECT[variable](serviceUrl({ [variable]: url }, variable));
    return true;
  } catch (found) {
    const error = meaning(found);
    if (error instanceof ConfigurationError) throw error;
    const refused = refusal(error);
    if (refused) throw new ConfigurationError(variable, refused);
    const { code, message, errors } = error as { code?: string; message: string; errors?: { code?: string }[] };
    return String(code ?? errors?.[0]?.code ?? message.split('\n')[0]);
  }
}

/**
 * Waits until all these services accept us. Returns true or, after `timeoutMs`, why not for each that did not, in one line.
 * Throws ConfigurationError for what no waiting heals.
 */
export async function waitUntilReachable(
  urls: Partial<Record<Variable, string>>,
  say: Say,
  timeoutMs: number,
  meaning = itself,
): Promise<true | string> {
  const deadline = Date.now() + timeoutMs;
  const waits = Object.entries(urls).map(([variable, url]) =>
    waitForOne(() => answers(variable as Variable, url, meaning), variable, say, deadline),
  );
  const late = (await Promise.all(waits)).filter((line) => line !== true);
  return late.length === 0 ? true : late.join('; ');
}

async function waitForOne(
  ask: () => Promise<true | string>,
  variable: string,
  say: Say,
  deadline: number,
): Promise<true | string> {
  for (let said = false; ; said = true) {
    const answer = await ask();
    if (answer === true) return true;
    if (Date.now() > deadline) return `${variable} cannot be reached: ${answer}`;
    if (!said) say(`Waiting for the service at ${variable} (${answer})`);
    await delay(RETRY_MS);
  }
}
