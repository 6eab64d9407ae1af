import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT } from '@disparo/contract';
import type { Config } from '../config.js';
import type { Log } from '../telemetry/log.js';
import type { ToMember, ToPrimary } from './messages.js';
import { Totals } from './totals.js';

/** Longer than a process's own grace time, after which it ends by itself unless it hangs. */
const GRACE_MS = 30_000;
/** Until a process that has died is followed by another: doubled with each death, up to the last. */
const FIRST_DELAY_MS = 200;
const LAST_DELAY_MS = 30_000;
/** A process that has lived so long was healthy: the delay begins anew. */
const HEALTHY_MS = 60_000;
const STDERR = 2;

/**
 * Runs API_PROCESSES processes of the plain server on one port, until a signal or a failure that no restart can mend.
 * Returns the exit code for all of them. Each runs the whole app, with its own duties: those are safe to run twice, two
 * servers do it too, and a clock in one process alone would have to be handed on when that process dies.
 *
 * The processes take connections from the kernel's queue themselves. Given out in turn by the primary (Node's default) they
 * would fill more evenly, but one at a time: with 20,000 clients at once, 14,000 sockets waited in the primary, and at its
 * limit of descriptors the kernel drops them. How no process takes more than it can hold: `limitSockets`.
 */
export async function superviseProcesses(config: Config, log: Log): Promise<number> {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  return new Primary(config.apiProcesses, log).run();
}

class Primary {
  readonly #totals = new Totals();
  readonly #stop = new AbortController();
  readonly #workers = new Set<Worker>();
  readonly #listening = new Set<Worker>();
  readonly #ready = new Set<Worker>();
  /** Why all end, where it is no signal; else the first code of a process that did not end well. */
  #code: number = EXIT.drained;

  constructor(
    private readonly size: number,
    private readonly log: Log,
  ) {}

  async run(): Promise<number> {
    cluster.on('message', (worker, message: ToPrimary) => this.#hear(worker, message));
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#onSignal(signal));
    await Promise.all(Array.from({ length: this.size }, () => this.#keepOne()));
    return this.#code;
  }

  /** Starts a process, and another one whenever it has died, until all are to stop. */
  async #keepOne(): Promise<void> {
    for (let delay = FIRST_DELAY_MS; !this.#stop.signal.aborted; delay = Math.min(delay * 2, LAST_DELAY_MS)) {
      const began = performance.now();
      const { id, code, signal } = await this.#runOne();
      if (this.#stop.signal.aborted) {
        // A signal to the whole group ends one that was only starting: it had nothing in flight.
        if (signal !== 'SIGTERM' && signal !== 'SIGINT') this.#code ||= code ?? EXIT.forced;
        return;
      }
      if (performance.now() - began > HEALTHY_MS) delay = FIRST_DELAY_MS;
      // Jitter, so that those that died together do not all start together.
      const delayMs = Math.round(delay * (0.5 + Math.random() / 2));
      this.log.error({ process: id, code, signal, delay_ms: delayMs }, 'a process has died; another one follows');
      await pause(delayMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #runOne(): Promise<{ id: number; code: number | null; signal: NodeJS.Signals | null }> {
    const worker = cluster.fork();
    this.#workers.add(worker);
    this.#totals.add(worker);
    const [code, signal] = await once(worker, 'exit').catch((error: unknown) => {
      this.log.error({ process: worker.id, err: error }, 'a process could not be started');
      return [null, null];
    });
    // Its last message may say why it has ended.
    if (worker.isConnected()) await once(worker, 'disconnect');
    for (const set of [this.#workers, this.#listening, this.#ready]) set.delete(worker);
    this.#totals.remove(worker);
    return { id: worker.id, code, signal };
  }

  #hear(worker: Worker, message: ToPrimary): void {
    if (message.kind === 'failed') this.#fail(message.line, message.code);
    else if (message.kind === 'hears') this.#stopLate(worker);
    else if (message.kind === 'counted') this.#totals.take(worker, message.snapshot);
    else if (message.kind === 'scrape') this.#answer(worker, message.id);
    else if (message.kind === 'listening') this.#said(this.#listening, worker, { url: message.url }, 'listening');
    else this.#said(this.#ready, worker, {}, 'ready');
  }

  /** Says it when all processes have: at the start, and again when one that had died is back. */
  #said(set: Set<Worker>, worker: Worker, fields: object, sentence: string): void {
    set.add(worker);
    if (set.size === this.size) this.log.info({ ...fields, processes: this.size }, sentence);
  }

  async #answer(worker: Worker, id: number): Promise<void> {
    const text = await this.#totals.text();
    if (text !== undefined) tell(worker, { kind: 'scraped', id, text });
  }

  /** The first failure is that of all: the others have the same, or would do without a part of the server. */
  #fail(line: string, code: number): void {
    if (this.#stop.signal.aborted) return;
    this.#code = code;
    writeSync(STDERR, `${line}\n`);
    this.#stopAll('another process has failed');
  }

  #onSignal(signal: NodeJS.Signals): void {
    if (this.#stop.signal.aborted) this.#force();
    else this.#stopAll(signal);
  }

  /** By a message and not by a signal, which a Ctrl-C has already sent to all: see `heedPrimaryOnly`. */
  #stopAll(signal: string): void {
    this.#stop.abort();
    this.log.info({ signal, processes: this.#workers.size }, 'stopping');
    for (const worker of this.#workers) tell(worker, { kind: 'stop', signal });
    setTimeout(() => this.#force(), GRACE_MS).unref();
  }

  /** A process that was only starting has not heard it. */
  #stopLate(worker: Worker): void {
    if (this.#stop.signal.aborted) tell(worker, { kind: 'stop', signal: 'stopped while starting' });
  }

  /** Ends those that have not ended yet; what they had in flight is lost. */
  #force(): void {
    for (const worker of this.#workers) worker.process.kill('SIGKILL');
  }
}

function tell(worker: Worker, message: ToMember): void {
  worker.send(message, () => {});
}
