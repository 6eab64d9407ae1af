const abortedAt = new WeakMap<AbortSignal, number>();

/** Notes when `stop` aborts, so that what begins to wait later counts from then, too. */
export function watchStop(stop: AbortSignal): void {
  const note = () => void abortedAt.set(stop, performance.now());
  if (stop.aborted) note();
  else stop.addEventListener('abort', note, { once: true });
}

/**
 * Calls `late` once, `ms` after `stop` has aborted, which is watched. Returns what undoes that: without it each mail would leave a
 * listener behind.
 */
export function afterStop(stop: AbortSignal, ms: number, late: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    const now = performance.now();
    timer = setTimeout(late, Math.max(0, ms - (now - (abortedAt.get(stop) ?? now))));
  };
  if (stop.aborted) begin();
  else stop.addEventListener('abort', begin, { once: true });
  return () => {
    stop.removeEventListener('abort', begin);
    clearTimeout(timer);
  };
}
