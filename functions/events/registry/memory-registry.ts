import { Injectable } from '@nestjs/common';
import { Deadline } from '../../platform/deadline.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { type PayloadCheck, type Registered, type RegisteredType, Registry } from './registered.js';
import { RegistryRepository, type RegistryRows } from './registry.repository.js';
import { payloadCheck } from './schema/payload-schema.js';

/** By the id of a type: its check, or undefined where it has no schema. A version never changes, so neither does its check. */
type Checks = ReadonlyMap<number, PayloadCheck | undefined>;

/** The registry of PostgreSQL, kept in memory. Nothing tells it of changes: who stores events finds out, and asks again. */
@Injectable()
export class MemoryRegistry extends Registry {
  #last: Snapshot | undefined;
  #loading: Promise<Snapshot> | undefined;
  /** Of the last snapshot. */
  #checks: Checks = new Map();

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

  /** Callers who come while it is on its way have the same. */
  #load(): Promise<Snapshot> {
    // Of no deadline: the time of one caller must not end it for the others.
    this.#loading ??= Deadline.without(() => this.#read()).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #read(): Promise<Snapshot> {
    const rows = await this.repository.all(this.postgres);
    this.#checks = await this.#checksOf(rows.types.map(([id]) => id));
    this.#last = new Snapshot(rows, this.#checks);
    return this.#last;
  }

  /** Asks for the schemas of types that are new. Those of deleted types are forgotten. */
  async #checksOf(ids: number[]): Promise<Checks> {
    const unknown = ids.filter((id) => !this.#checks.has(id));
    const found = unknown.length === 0 ? [] : await this.repository.schemas(this.postgres, unknown);
    const schemas = new Map(found.map(({ id, schema }) => [id, compiledAtFirstUse(schema)]));
    return new Map(ids.map((id) => [id, this.#checks.get(id) ?? schemas.get(id)]));
  }
}

class Snapshot implements Registered {
  readonly version: string;
  readonly #companies: ReadonlyMap<string, string>;
  /** By company and name, the newest last. */
  readonly #types = new Map<string, RegisteredType[]>();

  constructor({ version, clients, types }: RegistryRows, checks: Checks) {
    this.version = version;
    this.#companies = new Map(clients);
    for (const [id, companyId, name, version] of types.sort((one, other) => one[3] - other[3])) {
      const key = keyOf(companyId, name);
      const versions = this.#types.get(key) ?? [];
      this.#types.set(key, [...versions, { id, version, schema: checks.get(id) }]);
    }
  }

  companyOf(clientId: string): string | undefined {
    return this.#companies.get(clientId);
  }

  type(companyId: string, name: string, version?: number): RegisteredType | undefined {
    const versions = this.#types.get(keyOf(companyId, name));
    return version === undefined ? versions?.at(-1) : versions?.find((each) => each.version === version);
  }
}

/** Neither has a blank. */
function keyOf(companyId: string, name: string): string {
  return `${companyId} ${name}`;
}

/** A schema takes a tenth of a second to compile, and most of those of a large registry are not used for long. */
function compiledAtFirstUse(schema: Record<string, unknown>): PayloadCheck {
  let check: PayloadCheck | undefined;
  return (message) => {
    try {
      check ??= payloadCheck(schema);
    } catch (error) {
      // It was taken once, and is not any more since the rules are others now: it lets nothing pass.
      return `the schema of the type is not taken: ${error instanceof Error ? error.message : String(error)}`;
    }
    return check(message);
  };
}
