import { randomBytes } from 'node:crypto';
import type { Db } from 'mongodb';
import { someCnpj } from './cnpj.js';
import { ownName } from './databases.js';
import { Process, ROOT } from './process.js';
import { Stage } from './stage.js';
import { untilTrue } from './until.js';

/** An answer of the API. `body` is parsed JSON, or the text of another type, or undefined when it was empty. */
export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Ask {
  token?: string | undefined;
  /** Sent as JSON; a string is sent as it is, with the Content-Type of JSON; FormData is sent as multipart. */
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

/** The environment of the API's process in addition to the stores, unless a test says otherwise. */
const OWN = { API_HOST: '127.0.0.1', API_PORT: '0', LOG_LEVEL: 'info' };

type Env = Record<string, string>;

/**
 * A stage with the API as a real process on it. With `start: false` the test calls start() itself, and the database has no
 * table before.
 */
export class ApiStage {
  /** The URL of the API while it runs. */
  url = '';
  /** Each line that the process wrote since the stage was made, standard error included, over all its starts. */
  readonly output: string[] = [];
  #process: Process | undefined;

  private constructor(
    readonly stores: Stage,
    /** Variables for the process, on top of our own environment. */
    readonly env: Stage['env'] & Env,
    private readonly ends: () => Promise<void>,
  ) {}

  static async open({ env = {}, start = true }: { env?: Env; start?: boolean } = {}): Promise<ApiStage> {
    const partitions = Number(env.QUEUE_PARTITIONS ?? 1);
    const stores = await Stage.open({ migrated: false, declared: false, partitions });
    const processEnv = { ...stores.env, ...OWN, JWT_SECRET: randomBytes(32).toString('hex'), ...env };
    const stage = new ApiStage(stores, processEnv, () => stores.close());
    if (!start) return stage;
    try {
      await stage.start();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  /** A second API process on the same stores, which stay when it is closed. */
  async beside(env: Env = {}): Promise<ApiStage> {
    const other = new ApiStage(this.stores, { ...this.env, ...env }, async () => {});
    await other.start();
    return other;
  }

  /**
   * Starts the process and waits until it listens and, unless told otherwise, has all its stores. Of several processes that
   * share the port, the primary says it for all; the lines of the others have the field `process`.
   */
  async start({ env = {}, ready = true }: { env?: Env; ready?: boolean } = {}): Promise<void> {
    const from = this.output.length;
    this.spawn(env);
    const line = (message: string) =>
      this.output.slice(from).find((each) => each.includes(`"msg":"${message}"`) && !each.includes('"process":'));
    await this.until(() => line('listening') && (!ready || line('ready')), 'the API is ready');
    this.url = (JSON.parse(line('listening') ?? '{}') as { url: string }).url;
  }

  /** Starts the process without waiting. */
  spawn(env: Env = {}): void {
    this.#process = this.script('server', [], env, (line) => this.output.push(line));
  }

  /** Starts one of our scripts on the stores of this stage, such as `command`, at the root and with our own environment. */
  script(name: string, args: string[] = [], env: Env = {}, hear?: (line: string) => void): Process {
    const processEnv = { ...process.env, NODE_ENV: '', ...this.env, ...env };
    const options = { env: processEnv, cwd: ROOT, ...(hear ? { hear } : {}) };
    return this.stores.with(Process.script(`bundle/${name}.js`, options, args));
  }

  /** The TypeScript consumer on the stores of this stage. */
  consumer(env: Env = {}): Process {
    return this.stores.consumer({ ...this.env, ...env }, 'typescript');
  }

  /** Asks the process to stop; returns its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.signal(signal);
    return this.exited();
  }

  /** Kills the process. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** Signals the process without waiting. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** The id of the process. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Waits until the process has ended. Returns its exit code; null after a signal that it did not handle. */
  async exited(): Promise<number | null> {
    return this.#process ? this.#process.exited : null;
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

  /** Registers a user and logs them in. */
  async user({ email = `${ownName()}@example.com`, password = 'correct horse' } = {}): Promise<TestUser> {
    const { id } = await this.#done<{ id: string }>(201, 'POST', '/api/users', { body: { email, password } });
    return { id, email, password, token: await this.login(email, password) };
  }

  async login(email: string, password: string): Promise<string> {
    const ask = { body: { email, password } };
    return (await this.#done<{ access_token: string }>(200, 'POST', '/api/auth/login', ask)).access_token;
  }

  /** Makes a company that this user owns. */
  async company({ token }: TestUser, name = 'Acme'): Promise<TestCompany> {
    const document = someCnpj();
    const { id } = await this.#done<{ id: string }>(201, 'POST', '/api/companies', { token, body: { name, document } });
    return { id, document };
  }

  /** Makes another user, who accepts, a member of a company that this user owns. */
  async member(
    { token }: TestUser,
    { id }: TestCompany,
    user: TestUser,
    role: 'owner' | 'member' = 'member',
  ): Promise<void> {
    await this.#done(201, 'POST', `/api/companies/${id}/members`, { token, body: { email: user.email, role } });
    await this.#done(200, 'POST', `/api/invitations/${id}/accept`, { token: user.token });
  }

  /** Runs a statement on the stage's PostgreSQL and returns its rows. */
  sql<T = Record<string, unknown>>(text: string, values?: unknown[]): Promise<T[]> {
    return this.stores.sql(text, values);
  }

  get mongo(): Db {
    return this.stores.mongo;
  }

  /** Waits until `condition` returns something truthy, and returns that. Fails with `what` and the process's last lines. */
  until<T>(condition: () => T | Promise<T>, what: string, withinMs?: number): Promise<NonNullable<T>> {
    const patience = { everyMs: 25, ...(withinMs === undefined ? {} : { withinMs }) };
    return untilTrue(condition, () => `${what}\n${this.output.slice(-20).join('\n')}`, patience);
  }

  /** Ends the process and removes all that the stage has made. */
  async close(): Promise<void> {
    await this.kill();
    await this.ends();
  }

  async #done<T>(wanted: number, ...given: Parameters<ApiStage['api']>): Promise<T> {
    const { status, body } = await this.api(...given);
    if (status !== wanted) throw new Error(`${given[0]} ${given[1]}: ${status} ${JSON.stringify(body)}`);
    return body as T;
  }
}
