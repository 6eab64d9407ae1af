import type { Clone, State } from './clone.js';
import type { Say, ServiceName, Variable } from './names.js';

/** One service that runs from real binaries on this machine. */
export interface Service {
  name: ServiceName;
  /** Its name as people write it. */
  title: string;
  variable: Variable;
  /** What a person can install so that a binary is found. */
  binary: string;
  /** The URL that it will have, with its password: never to be printed. */
  url(password: string, port: number): string;
  /** Starts it and waits until it answers. Throws within a bounded time when it does not. */
  start(clone: Clone, state: State, say: Say): Promise<void>;
  /** Stops it cleanly and waits until it is gone. Does nothing when it does not run. */
  stop(clone: Clone, state: State): Promise<void>;
  /** Ends what a killed one has left, so that its ports are free again. */
  clear?(clone: Clone, state: State): Promise<void>;
  /** The id of its process while it lives; of several, the first one. */
  pid(clone: Clone): number | undefined;
}
