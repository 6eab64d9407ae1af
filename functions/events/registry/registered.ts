/** A type at one version, ready to check messages. */
export interface RegisteredType {
  /** `event_types.id`. */
  id: number;
  version: number;
  /** Undefined: it has no schema, and takes any message that is not empty. */
  schema: PayloadCheck | undefined;
}

/**
 * Checks a parsed message. Undefined: it is valid. Else the first ten places and the keywords that they broke, such as
 * `/age minimum; /name type`; never a value. Never throws.
 */
export type PayloadCheck = (message: unknown) => string | undefined;

/** All that was registered at one version of the registry: a snapshot that never changes. */
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
}
