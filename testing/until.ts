import { vi } from 'vitest';

/** How long a condition may take before a test fails; a healthy one takes a fraction of it. */
export const PATIENCE_MS = 30_000;
const POLL_MS = 10;

/** Waits until `check` no longer throws. */
export function until<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: POLL_MS });
}

/** Waits until a number is reached; answers the number that was found. */
export function untilAtLeast(wanted: number, count: () => Promise<number>): Promise<number> {
  return until(async () => {
    const found = await count();
    if (found < wanted) throw new Error(`${found} of ${wanted}`);
    return found;
  });
}
