import { Injectable } from '@nestjs/common';
import { Deadline } from '../../platform/deadline.js';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { type PayloadCheck, type Registered, type RegisteredType, Registry } from './registered.js';
import { RegistryRepository, type RegistryRows } from './registry.repository.js';
import { SchemaCache } from './schema-cache.js';

/** Schemas that are read at a time: 4 MiB of them at most. */
const SCHEMAS_AT_A_TIME = 64;

/** The registry of PostgreSQL, kept in memory. Nothing tells it of changes: who stores events finds out, and asks again. */
@Injectable()
export class MemoryRegistry extends Registry {
  readonly #checks = new SchemaCache();
  #last: Snapshot | undefined;
  #loading: Promise<Snapshot> | undefined;

  constructor(
    private readonly postgres: Postgres,
    private readonly repository: RegistryRepository,
  ) {
    super();
  }

  async current(): Promise<Registered> {
    return this.#last ?? this.#load();
  }

  async newerThan(version: string): Promise<Registered> {
    if (this.#last && this.#last.version !== version) return this.#last;
    // One that is on its way may have looked before the change; one that begins after it has not.
    const loaded = await this.#loading;
    if (loaded && loaded.version !== version) return loaded;
    return this.#load();
  }

  /** On the caller's own connection: who waits for another one while it has one may wait for ever. */
  async held(sql: Sql): Promise<Registered> {
    const version = await this.repository.hold(sql);
    if (this.#last?.version === version) return this.#last;
    const { epoch } = this.#checks;
    const read = await this.#read(sql);
    // guard: what was read before PostgreSQL was away is not kept
    if (epoch === this.#checks.epoch) this.#last = read;
    return read;
  }

  holding<T>(work: (registered: Registered, sql: Transaction) => Promise<T>): Promise<T> {
    return this.postgres.transaction(async (sql) => work(await this.held(sql), sql));
  }

  async *checks(typeIds: readonly number[], sql: Sql = this.postgres): AsyncIterable<[number, PayloadCheck]> {
    for (let at = 0; at < typeIds.length; at += SCHEMAS_AT_A_TIME) {
      const { epoch } = this.#checks;
      const schemas = await this.repository.schemas(sql, typeIds.slice(at, at + SCHEMAS_AT_A_TIME));
      for (const { id, schema } of schemas) yield [id, this.#checks.put(id, schema, epoch)];
    }
  }

  distrust(): void {
    this.#last = undefined;
    this.#loading = undefined;
    this.#checks.distrust();
  }

  /** Callers who come while it is on its way have the same. */
  #load(): Promise<Snapshot> {
    if (this.#loading) return this.#loading;
    // Of no deadline: the time of one caller must not end it for the others.
    const loading = Deadline.without(() => this.#read(this.postgres))
      .then((loaded) => {
        // guard: one that began before PostgreSQL was away is not kept
        if (this.#loading === loading) this.#last = loaded;
        return loaded;
      })
      .finally(() => {
        if (this.#loading === loading) this.#loading = undefined;
      });
    this.#loading = loading;
    return loading;
  }

  async #read(sql: Sql): Promise<Snapshot> {
    return new Snapshot(await this.repository.all(sql), this.#checks);
  }
}

interface TypeRow {
  id: number;
  version: number;
  hasSchema: boolean;
}

class Snapshot implements Registered {
  readonly version: string;
  readonly #companies: ReadonlyMap<string, string>;
  /** By company, version and name; also the newest of each name. */
  readonly #types = new Map<string, TypeRow>();

  constructor(
    { version, clients, types }: RegistryRows,
    private readonly checks: Pick<SchemaCache, 'get'>,
  ) {
    this.version = version;
    this.#companies = new Map(clients);
    for (const [id, companyId, name, version, hasSchema] of types) {
      const type = { id, version, hasSchema };
      this.#types.set(keyOf(companyId, version, name), type);
      const newest = this.#types.get(keyOf(companyId, 'newest', name));
      if (!newest || newest.version < version) this.#types.set(keyOf(companyId, 'newest', name), type);
    }
  }

  companyOf(clientId: string): string | undefined {
    return this.#companies.get(clientId);
  }

  type(companyId: string, name: string, version: number | 'newest' = 'newest'): RegisteredType | undefined {
    const type = this.#types.get(keyOf(companyId, version, name));
    if (!type) return undefined;
    const { id, hasSchema } = type;
    return { id, version: type.version, schema: hasSchema ? (this.checks.get(id) ?? 'unloaded') : undefined };
  }
}

/** The name is last: an envelope may have anything for a name, and the others have no blank. */
function keyOf(companyId: string, version: number | 'newest', name: string): string {
  return `${companyId} ${version} ${name}`;
}
