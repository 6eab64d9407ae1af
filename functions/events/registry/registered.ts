import type { Sql, Transaction } from '../../platform/stores/postgres.js';

/** A type at one version, ready to check messages. */
export interface RegisteredType {
  /** `event_types.id`. */
  id: number;
  version: number;
  /** Undefined: it has no schema, and takes any message that is not empty. `unloaded`: Registry.checks has it. */
  schema: PayloadCheck | 'unloaded' | undefined;
}

/**
 * Checks a parsed message, whose text has so many UTF-16 units: the time that it may take grows with them. Undefined: it is
 * valid. Else the first ten places and the keywords that they broke, such as `/age minimum; /name type`; never a value. Never
 * throws.
 */
export type PayloadCheck = (message: unknown, units: number) => string | undefined;

/** All that was registered at one version of the registry: a snapshot that never changes. Schemas come when they are needed. */
export interface Registered {
  /** `event_registry.version`, as PostgreSQL writes it. */
  readonly version: string;
  /** The company of a living client of a living company. */
  companyOf(clientId: string): string | undefined;
  /** The type of that name and version, or without one its newest. Only living ones. */
  type(companyId: string, name: string, version?: number): RegisteredType | undefined;
}

/** The snapshots, kept in memory. Injected by this class. */
export abstract class Registry {
  /** The last snapshot that was loaded, or a first one. Rejects with ServiceUnavailable when PostgreSQL is away. */
  abstract current(): Promise<Registered>;
  /** A snapshot that is newer than the one of this version. Rejects as `current` does. */
  abstract newerThan(version: string): Promise<Registered>;
  /** The snapshot of now. It stays that until the end of this transaction, for which every change waits. */
  abstract held(sql: Sql): Promise<Registered>;
  /** Runs `work` in a transaction of its own, with the snapshot of now. */
  abstract holding<T>(work: (registered: Registered, sql: Transaction) => Promise<T>): Promise<T>;
  /**
   * The checks of types that have a schema, by the types' id, one after the other: all of them at once may not fit into the
   * memory. Rejects as `current` does.
   */
  abstract checks(typeIds: readonly number[], sql?: Sql): AsyncIterable<[typeId: number, check: PayloadCheck]>;
  /**
   * PostgreSQL was away. Where another server has taken its place, it may lack what was committed last: then the same version
   * and the same id may mean other rows than before.
   */
  abstract distrust(): void;
}
