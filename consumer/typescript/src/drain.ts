/** How this process is told to stop: two signals, fired in this order. */
export interface Stop {
  /** Stop receiving; finish the current batches. */
  receiving: AbortSignal;
  /** Drop the current batches: they are delivered again. */
  working: AbortSignal;
}

/** How long the current batches may take after the first signal. */
const GRACE_MS = 20_000;

/**
 * SIGTERM or SIGINT fires `receiving`. The end of the grace time, or a second signal, fires `working` and then calls
 * `forced`.
 */
export function stopOnSignals(forced: () => void): Stop {
  const receiving = new AbortController();
  const working = new AbortController();
  const force = () => {
    working.abort();
    forced();
  };
  const onSignal = () => {
    if (receiving.signal.aborted) return force();
    receiving.abort();
    setTimeout(force, GRACE_MS).unref();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { receiving: receiving.signal, working: working.signal };
}

/** Resolves when the signal fires. */
export function fired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
