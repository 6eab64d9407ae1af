import type { Clone, State } from './clone.js';
import type { Say, ServiceName, Variable } from './names.js';

/** One service as real binaries on this machine. */
export interface Service {
  name: ServiceName;
  /** As people write it. */
  title: string;
  variable: Variable;
  /** What a person can install so that a binary is found. */
  binary: string;
  /** The URL under which it will answer, with a password: never to be printed. */
  url(password: string, port: number): string;
  /** Starts it and waits until it answers. Throws when it cannot be had, within a bounded time. */
  start(clone: Clone, state: State, say: Say): Promise<void>;
  /** Stops it in its own clean way and waits until it is gone; nothing when it does not run. */
  stop(clone: Clone, state: State): Promise<void>;
  /** Its process while it lives, of several the first. */
  pid(clone: Clone): number | undefined;
}
