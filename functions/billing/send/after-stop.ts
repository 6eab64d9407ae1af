/**
 * Calls `late` once, `ms` after `stop` has aborted. Returns what undoes that: without it each mail would leave a listener behind.
 */
export function afterStop(stop: AbortSignal, ms: number, late: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(late, ms);
  };
  if (stop.aborted) begin();
  else stop.addEventListener('abort', begin, { once: true });
  return () => {
    stop.removeEventListener('abort', begin);
    clearTimeout(timer);
  };
}
