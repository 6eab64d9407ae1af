import { setMaxListeners } from 'node:events';
import { EXIT } from '@disparo/contract';

/**
 * Where the app runs, since a function is frozen between requests and a server is not; and the one way in which a process is
 * told to stop. Injected by this class.
 */
export class Runtime {
  readonly #stop = new AbortController();

  constructor(readonly kind: 'function' | 'server') {
    // Each waiting request adds a listener.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Aborts when this process is told to stop: waiting ends at once, work under way is finished. Never in a function. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * From now on the first SIGTERM or SIGINT aborts `stopping`, with the signal's name as the reason's message. A second one, or
   * the end of the grace time, ends the process with EXIT.forced.
   */
  stopOnSignals(graceMs?: number): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (this.stopping.aborted) force();
        this.stop(signal, graceMs);
      });
  }

  /** Aborts `stopping` for this reason. The end of the grace time ends the process with EXIT.forced. */
  stop(reason: string, graceMs?: number): void {
    if (this.stopping.aborted) return;
    if (graceMs !== undefined) setTimeout(force, graceMs).unref();
    this.#stop.abort(new DOMException(reason, 'AbortError'));
  }
}

function force(): void {
  process.exit(EXIT.forced);
}
