import { randomUUID } from 'node:crypto';
import { declareEvents, eventsQueue } from '@disparo/contract';
import cuid2 from '@paralleldrive/cuid2';
import type { Options } from 'amqplib';
import { someCnpj } from '../../../testing/cnpj.js';
import { Process, ROOT } from '../../../testing/process.js';
import { Stage, type StageOptions } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';

/** A type of events to register: a schema where it has one. */
export interface TypeSeed {
  name: string;
  version?: number;
  schema?: object;
}

/** A row of `events`, with the name of its type. */
export interface EventRow {
  client_id: string;
  type: string;
  version: number;
  dedupe_key: string;
  message: string;
}

/** A row of `event_quarantine`. */
export interface QuarantineRow {
  company_id: string | null;
  client_id: string | null;
  reason: string;
  detail: string;
  dedupe_key: string;
  body: Buffer;
}

/** An envelope of a registered client and type, with an id of its own. */
export function envelope(over: Record<string, unknown> = {}): Record<string, unknown> {
  return { event_type: 'user-app', client_id: 'client-1', message: { user: 7 }, id: randomUUID(), ...over };
}

/** Real stores and a broker with the queue of events, and what is registered for two companies. */
export class EventsStage {
  readonly #processors: Process[] = [];
  /** Messages that were published so far. */
  published = 0;

  private constructor(
    readonly stores: Stage,
    readonly acme: string,
    readonly globex: string,
  ) {}

  /** Acme has `client-1` and the types `user-app` and `open`, which has no schema; Globex has `client-2` and `open`. */
  static async open(options: StageOptions = {}): Promise<EventsStage> {
    const stores = await Stage.open({ prefix: 'events', ...options });
    await declareEvents(stores.channel, stores.env.QUEUE_PREFIX);
    const [acme, globex] = [await company(stores), await company(stores)];
    const stage = new EventsStage(stores, acme, globex);
    const user = { type: 'object', properties: { user: { type: 'integer' } }, required: ['user'] };
    await stage.register(acme, ['client-1'], [{ name: 'user-app', schema: user }, { name: 'open' }]);
    await stage.register(globex, ['client-2'], [{ name: 'open' }]);
    return stage;
  }

  /** Registers by SQL, as the API does: the version is raised last. */
  async register(companyId: string, clients: readonly string[], types: readonly TypeSeed[] = []): Promise<void> {
    const { sql } = this;
    for (const client of clients)
      await sql('INSERT INTO event_clients (client_id, company_id) VALUES ($1, $2)', [client, companyId]);
    for (const { name, version = 1, schema } of types)
      await sql('INSERT INTO event_types (company_id, name, version, schema) VALUES ($1, $2, $3, $4)', [
        companyId,
        name,
        version,
        schema === undefined ? null : JSON.stringify(schema),
      ]);
    await this.raise();
  }

  async raise(): Promise<void> {
    await this.sql('UPDATE event_registry SET version = version + 1');
  }

  readonly sql = <T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> =>
    this.stores.sql<T>(text, values);

  get queue(): string {
    return eventsQueue(this.stores.env.QUEUE_PREFIX);
  }

  /** Publishes and waits for the confirm. A text or bytes go as they are. */
  async publish(body: Buffer | string | object, properties: Options.Publish = {}): Promise<void> {
    await this.publishAll([body], properties);
  }

  async publishAll(bodies: readonly (Buffer | string | object)[], properties: Options.Publish = {}): Promise<void> {
    for (const body of bodies) {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      this.stores.channel.publish(this.queue, this.queue, bytes, { persistent: true, ...properties });
      this.published += 1;
    }
    await this.stores.channel.waitForConfirms();
  }

  /** Starts a processor on this stage. */
  processor(env: Record<string, string> = {}): Process {
    return this.#start('processor', env);
  }

  /** Starts the plain server on this stage. */
  server(env: Record<string, string> = {}): Process {
    return this.#start('server', env);
  }

  #start(script: string, env: Record<string, string>): Process {
    const own = { ...process.env, NODE_ENV: '', ...this.stores.env, LOG_LEVEL: 'info', ...env };
    const started = this.stores.with(Process.script(`bundle/${script}.js`, { cwd: ROOT, env: own }));
    this.#processors.push(started);
    return started;
  }

  events(): Promise<EventRow[]> {
    return this.sql<EventRow>(
      `SELECT e.client_id, t.name AS type, t.version, e.dedupe_key, e.message
         FROM events e JOIN event_types t ON t.id = e.type_id ORDER BY e.id`,
    );
  }

  quarantine(): Promise<QuarantineRow[]> {
    return this.sql<QuarantineRow>(
      'SELECT company_id, client_id, reason, detail, dedupe_key, body FROM event_quarantine ORDER BY id',
    );
  }

  async counts(): Promise<{ events: number; quarantine: number }> {
    const [row] = await this.sql<{ events: number; quarantine: number }>(
      'SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(*)::int FROM event_quarantine) AS quarantine',
    );
    return row ?? { events: 0, quarantine: 0 };
  }

  /** Waits until the two tables have so many rows. */
  async untilCounts(events: number, quarantine: number, withinMs?: number): Promise<void> {
    await until(
      async () => {
        const found = await this.counts();
        if (found.events < events || found.quarantine < quarantine)
          throw new Error(
            `${JSON.stringify(found)}\n${this.#processors.map(({ everything }) => everything).join('\n')}`,
          );
      },
      withinMs === undefined ? {} : { withinMs },
    );
  }

  /** Waits until nothing is left on the queue, nor with a consumer: a new consumer would get what is not acknowledged. */
  async untilDrained(): Promise<void> {
    await until(async () => {
      const ready = await this.stores.ready(this.queue);
      if (ready > 0) throw new Error(`${ready} ready`);
    });
  }

  /** Removes all rows, and keeps what is registered. */
  async clear(): Promise<void> {
    await this.sql('TRUNCATE events, event_quarantine, event_deliveries');
  }

  close(): Promise<void> {
    return this.stores.close();
  }
}

async function company(stores: Stage): Promise<string> {
  const id = cuid2.createId();
  await stores.sql(`INSERT INTO companies (id, name, document) VALUES ($1, 'Acme', $2)`, [id, someCnpj()]);
  return id;
}
