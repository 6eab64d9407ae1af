import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MESSAGES, type MessageDocument, type Topology, topology } from '@disparo/contract';
import type { LanguageName } from '@disparo/contract/languages';
import type { ConfirmChannel } from 'amqplib';
import { type Collection, MongoClient } from 'mongodb';
import type pg from 'pg';
import type { ServiceName } from '../../../services/names.js';
import { freePort } from '../../../services/ports.js';
import { openBroker, quietPool } from '../../../testing/databases.js';
import type { OwnService } from '../../../testing/own-service.js';
import { type Ending, Process } from '../../../testing/process.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { PATIENCE_MS, until } from '../../../testing/until.js';
import type { Scope } from '../runner/cases.js';

const CONSUMERS = 2;
const PREFIX = 'faults';
/** Two, to test the order in partitions that run side by side. */
const PARTITIONS = 2;
/** One chunk at a time for each partition, so that a kill can hit many different moments. */
const DEFAULT_PREFETCH = 2;
const AMQP_PORT = 5672;
const POLL_MS = 5;
/** A real scheduler calls once a minute; a run has less time. */
const DISPATCH_PAUSE_MS = 1_000;
/** 0: done; 75: something is still to be done, or a service was down. */
const DISPATCH_ENDS: readonly Ending[] = ['code 0', 'code 75'];

type Services = Record<ServiceName, OwnService>;

/** Everything that runs: three services of its own, the API, a scheduler that calls the dispatcher, two consumers. */
export class System {
  /** How processes ended that the run had not killed. */
  readonly endedByThemselves: string[] = [];
  /** How many messages each purge has removed. */
  readonly purged: number[] = [];
  /** Aborts all waiting in the system. */
  readonly #closing = new AbortController();
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #consumers: Process[] = [];
  #api: Process | undefined;
  #dispatcher: Process | undefined;
  #scheduler: Promise<void> | undefined;
  /** HEAL_AFTER_S of processes that are started from now on. */
  healAfterS = 0;

  private constructor(
    readonly language: LanguageName,
    readonly services: Services,
    readonly proxy: TcpProxy,
    readonly pool: pg.Pool,
    private readonly mongo: MongoClient,
    private readonly env: Record<string, string>,
    /** Where the processes' output goes. */
    readonly folder: string,
  ) {
    // Every wait adds a listener.
    setMaxListeners(0, this.over);
  }

  /** Starts the services and nothing else. Skips the test where no broker of its own can be started. */
  static async open(scope: Scope, language: LanguageName, slots: number): Promise<System> {
    const started = await Promise.allSettled([scope.own('postgres'), scope.own('mongodb'), scope.own('rabbitmq')]);
    const [postgres, mongodb, rabbitmq] = started.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    }) as [OwnService, OwnService, OwnService];
    const urls = { DATABASE_URL: postgres.url, MONGODB_URL: mongodb.url };
    const proxy = await TcpProxy.openTo(rabbitmq.url, AMQP_PORT);
    const env = {
      ...urls,
      RABBITMQ_URL: proxy.url,
      QUEUE_PREFIX: PREFIX,
      QUEUE_PARTITIONS: String(PARTITIONS),
      CAMPAIGN_QUEUE_SLOTS: String(slots),
      API_PORT: String(await freePort()),
      JWT_SECRET: 'a secret of the faults, which is long enough',
    };
    const pool = quietPool({ connectionString: urls.DATABASE_URL, max: 4, connectionTimeoutMillis: PATIENCE_MS });
    const mongo = new MongoClient(urls.MONGODB_URL, { serverSelectionTimeoutMS: PATIENCE_MS });
    const folder = mkdtempSync(join(tmpdir(), 'disparo-faults-'));
    return scope.cleaned(new System(language, { postgres, mongodb, rabbitmq }, proxy, pool, mongo, env, folder));
  }

  get over(): AbortSignal {
    return this.#closing.signal;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.env.API_PORT}`;
  }

  get names(): Topology {
    return topology(PREFIX, PARTITIONS);
  }

  get queues(): string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => this.names.queue(partition));
  }

  get messages(): Collection<MessageDocument> {
    return this.mongo.db().collection(MESSAGES);
  }

  startApi(): void {
    this.over.throwIfAborted();
    this.#api = this.script('bundle/server.js', 'api.log');
  }

  async killApi(): Promise<void> {
    const api = this.#api;
    if (!api) return;
    this.#api = undefined;
    this.note('the API', await api.kill());
  }

  startConsumers(): void {
    for (let which = 0; which < CONSUMERS; which++) this.startConsumer(which, DEFAULT_PREFETCH);
  }

  startConsumer(which: number, prefetch: number): void {
    this.over.throwIfAborted();
    const env = { ...this.env, PREFETCH: String(prefetch) };
    const log = join(this.folder, `consumer-${which}.log`);
    this.#consumers[which] = Process.consumer(this.language, { env, log });
  }

  async killConsumer(which: number): Promise<void> {
    const consumer = this.#consumers[which];
    if (!consumer) return;
    this.note(`consumer ${which}`, await consumer.kill());
    delete this.#consumers[which];
  }

  signalConsumer(which: number, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#consumers[which]?.signal(name);
  }

  /** Calls the dispatcher again and again, until the system is closed. */
  startScheduler(): void {
    this.#scheduler = this.schedule().catch((error: unknown) => {
      if (!this.over.aborted) this.endedByThemselves.push(`the scheduler ended by itself: ${String(error)}`);
    });
  }

  /** Kills the next dispatcher `afterMs` after its start. Returns whether it was still at work. */
  async killDispatcher(afterMs: number): Promise<boolean> {
    const before = this.#dispatcher;
    while (this.#dispatcher === before || !this.#dispatcher?.alive) await this.wait(POLL_MS);
    const dispatcher = this.#dispatcher;
    await this.wait(afterMs);
    return (await dispatcher.kill()) === 'killed by us';
  }

  /** Does `work` when earlier work on the same thing is done: what is down cannot be stopped again. */
  inTurn<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(thing) ?? Promise.resolve()).then(work);
    this.#turns.set(
      thing,
      turn.catch(() => {}),
    );
    return turn;
  }

  /** Waits; rejects when the system is closed meanwhile. */
  async wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.over });
  }

  /** Does `work` with a channel of the test's own that does not go through the proxy. Waits for a broker that is down. */
  async onBroker<T>(work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    const { connection, channel } = await until(() => openBroker(this.services.rabbitmq.url));
    try {
      return await work(channel);
    } finally {
      await connection.close().catch(() => {});
    }
  }

  /** Ends every process, the consumers last, and every wait. Then `endedByThemselves` is complete. */
  async end(): Promise<void> {
    this.#closing.abort();
    await this.#dispatcher?.kill();
    await this.#scheduler;
    await this.killApi();
    for (let which = 0; which < CONSUMERS; which++) await this.killConsumer(which);
    await Promise.allSettled(this.#turns.values());
  }

  /** Ends the system. The scope closes the services. */
  async close(): Promise<void> {
    await this.end();
    await this.proxy.close();
    await this.pool.end();
    await this.mongo.close();
  }

  /** Removes the output of the processes, for a run that went well. */
  removeFolder(): void {
    rmSync(this.folder, { recursive: true });
  }

  private async schedule(): Promise<void> {
    for (; ; await this.wait(DISPATCH_PAUSE_MS)) {
      this.over.throwIfAborted();
      this.#dispatcher = this.script('bundle/command.js', 'dispatch.log', ['dispatch']);
      this.note('a dispatcher', await this.#dispatcher.ended(), DISPATCH_ENDS);
    }
  }

  private script(script: string, log: string, args: string[] = []): Process {
    const env = { ...this.env, HEAL_AFTER_S: String(this.healAfterS) };
    return Process.script(script, { env, log: join(this.folder, log) }, args);
  }

  private note(who: string, ending: Ending, expected: readonly Ending[] = []): void {
    if (ending !== 'killed by us' && !expected.includes(ending))
      this.endedByThemselves.push(`${who} ended by itself: ${ending}`);
  }
}
