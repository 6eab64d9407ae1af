import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { findRoot, readEnvironment, topology } from '@disparo/contract';
import { connect } from 'amqplib';
import { type Db, MongoClient } from 'mongodb';
import pg from 'pg';

const ROOT = findRoot() ?? '.';
const WAIT_MS = 30_000;
const LOOK_AGAIN_MS = 25;

/** What the API answered. `body` is parsed JSON, the text of anything else, undefined for nothing. */
export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Ask {
  token?: string | undefined;
  /** Goes out as JSON; a string as it is, under the same Content-Type; FormData as multipart. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface TestUser {
  id: string;
  email: string;
  password: string;
  token: string;
}

export interface TestCompany {
  id: string;
  document: string;
}

/**
 * The API as a real process on real stores, with a database, a MongoDB database and a queue prefix of its own, all gone
 * after close(). `start: false` leaves the process to start() and the database without a table.
 */
export class Stage {
  /** Where the API listens, while it runs. */
  url = '';
  /** Each line that the process wrote, standard error included. */
  readonly output: string[] = [];
  #process: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);

  private constructor(
    /** What the process is told, on top of the environment of this one. */
    readonly env: Record<string, string>,
    readonly mongo: Db,
    private readonly mongoClient: MongoClient,
    private readonly pool: pg.Pool,
    private readonly adminUrl: string,
  ) {}

  static async open({
    env = {},
    start = true,
  }: {
    env?: Record<string, string>;
    start?: boolean;
  } = {}): Promise<Stage> {
    const services = readEnvironment();
    const name = `test_${randomBytes(6).toString('hex')}`;
    const adminUrl = given(services, 'DATABASE_URL');
    await asAdmin(adminUrl, `CREATE DATABASE ${name}`);
    const told = {
      DATABASE_URL: inDatabase(adminUrl, name),
      MONGODB_URL: inDatabase(given(services, 'MONGODB_URL'), name),
      RABBITMQ_URL: given(services, 'RABBITMQ_URL'),
      QUEUE_PREFIX: name,
      QUEUE_PARTITIONS: '1',
      API_HOST: '127.0.0.1',
      API_PORT: '0',
      JWT_SECRET: randomBytes(32).toString('hex'),
      LOG_LEVEL: 'info',
      ...env,
    };
    const mongoClient = new MongoClient(inDatabase(given(services, 'MONGODB_URL'), name));
    const pool = new pg.Pool({ connectionString: inDatabase(adminUrl, name), max: 4 });
    pool.on('error', () => {});
    // A connection that is still closing when its database is dropped is told so.
    pool.on('connect', (client) => client.on('error', () => {}));
    const stage = new Stage(told, mongoClient.db(name), mongoClient, pool, adminUrl);
    if (start) await stage.start();
    return stage;
  }

  /** Starts the process and waits until it listens and, unless told otherwise, has all its stores. */
  async start({ env = {}, ready = true }: { env?: Record<string, string>; ready?: boolean } = {}): Promise<void> {
    const from = this.output.length;
    this.spawn(env);
    const line = (message: string) => this.output.slice(from).find((each) => each.includes(`"msg":"${message}"`));
    await this.until(() => line('listening') && (!ready || line('ready')), 'the API is ready');
    this.url = (JSON.parse(line('listening') ?? '{}') as { url: string }).url;
  }

  /** Starts the process and waits for nothing. */
  spawn(env: Record<string, string> = {}): void {
    const child = spawn(process.execPath, ['dist/functions/server.js'], {
      cwd: ROOT,
      env: { ...process.env, NODE_ENV: '', ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.output.push(line));
    this.#process = child;
    this.#exited = once(child, 'close').then(([code]) => code as number | null);
  }

  /** Asks the process to stop; answers its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#process?.kill(signal);
    return this.exited();
  }

  /** Ends the process without asking it. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  /** The exit code, once the process has ended by itself; null after a signal that it did not handle. */
  exited(): Promise<number | null> {
    return this.#exited;
  }

  /** The process, to be signalled without waiting. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async api<T = Record<string, unknown>>(
    method: string,
    path: string,
    { token, body, headers = {} }: Ask = {},
  ): Promise<Answer<T>> {
    const isForm = body instanceof FormData;
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isForm || typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : isJson ? JSON.parse(text) : text) as T,
    };
  }

  /** A registered user with a token. */
  async user({
    email = `${randomBytes(6).toString('hex')}@example.com`,
    password = 'correct horse',
  } = {}): Promise<TestUser> {
    const registered = await this.api<{ id: string }>('POST', '/api/users', { body: { email, password } });
    if (registered.status !== 201) throw new Error(`not registered: ${JSON.stringify(registered.body)}`);
    return { id: registered.body.id, email, password, token: await this.login(email, password) };
  }

  async login(email: string, password: string): Promise<string> {
    const { status, body } = await this.api<{ access_token: string }>('POST', '/api/auth/login', {
      body: { email, password },
    });
    if (status !== 200) throw new Error(`not logged in: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  /** A company that `owner` owns. */
  async company(owner: TestUser, name = 'Acme'): Promise<TestCompany> {
    const document = someCnpj();
    const { status, body } = await this.api<{ id: string }>('POST', '/api/companies', {
      token: owner.token,
      body: { name, document },
    });
    if (status !== 201) throw new Error(`no company: ${JSON.stringify(body)}`);
    return { id: body.id, document };
  }

  /** Makes `user`, who accepts, a member of what `owner` owns. */
  async member(
    owner: TestUser,
    company: TestCompany,
    user: TestUser,
    role: 'owner' | 'member' = 'member',
  ): Promise<void> {
    const { status, body } = await this.api('POST', `/api/companies/${company.id}/members`, {
      token: owner.token,
      body: { email: user.email, role },
    });
    if (status !== 201) throw new Error(`not invited: ${JSON.stringify(body)}`);
    const accepted = await this.api('POST', `/api/invitations/${company.id}/accept`, { token: user.token });
    if (accepted.status !== 200) throw new Error(`no member: ${JSON.stringify(accepted.body)}`);
  }

  /** Straight into the stage's PostgreSQL. */
  async sql<T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.pool.query(text, values)).rows as T[];
  }

  /** Looks until `condition` answers something truthy, and answers that. Fails with `what` and the process's last lines. */
  async until<T>(condition: () => T | Promise<T>, what: string, withinMs = WAIT_MS): Promise<NonNullable<T>> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = await condition();
      if (found) return found;
      if (Date.now() > deadline)
        throw new Error(`not within ${withinMs} ms: ${what}\n${this.output.slice(-20).join('\n')}`);
      await pause(LOOK_AGAIN_MS);
    }
  }

  /** Ends the process and removes all that the stage has made. */
  async close(): Promise<void> {
    await this.kill();
    await this.#removeQueues();
    await this.mongo.dropDatabase();
    await this.mongoClient.close();
    await this.pool.end();
    await asAdmin(this.adminUrl, `DROP DATABASE IF EXISTS ${this.mongo.databaseName} WITH (FORCE)`);
  }

  async #removeQueues(): Promise<void> {
    const { exchange, deadLetterExchange, deadLetterQueue, queue, partitions } = topology(
      this.env.QUEUE_PREFIX ?? '',
      Number(this.env.QUEUE_PARTITIONS),
    );
    const connection = await connect(given(readEnvironment(), 'RABBITMQ_URL'), { noDelay: true });
    const channel = await connection.createChannel();
    for (let partition = 0; partition < partitions; partition++) await channel.deleteQueue(queue(partition));
    await channel.deleteQueue(deadLetterQueue);
    await channel.deleteExchange(exchange);
    await channel.deleteExchange(deadLetterExchange);
    await connection.close();
  }
}

/** A CNPJ that nobody else in the test has, written without punctuation. */
export function someCnpj(): string {
  const digits = Array.from({ length: 12 }, () => randomInt(10));
  for (const weights of [
    [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2],
    [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2],
  ]) {
    const rest = weights.reduce((sum, weight, at) => sum + weight * (digits[at] ?? 0), 0) % 11;
    digits.push(rest < 2 ? 0 : 11 - rest);
  }
  return digits.join('');
}

function given(services: Record<string, string>, key: string): string {
  const value = services[key];
  if (value === undefined) throw new Error(`${key} is not set: run "npm run services" first`);
  return value;
}

function inDatabase(url: string, name: string): string {
  const changed = new URL(url);
  // Who logs in where no database is named is looked up in admin.
  if (changed.protocol === 'mongodb:' && changed.username && !changed.searchParams.has('authSource'))
    changed.searchParams.set('authSource', changed.pathname.slice(1) || 'admin');
  changed.pathname = `/${name}`;
  return changed.href;
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
