import { setTimeout as delay } from 'node:timers/promises';

/** How long a condition may take before a test fails; a healthy one takes a fraction of it. */
export const PATIENCE_MS = 30_000;
const POLL_MS = 10;

interface Patience {
  withinMs?: number;
  everyMs?: number;
}

/** Waits until `check` no longer throws, and returns its result. When the time is over, throws its last error. */
export async function until<T>(
  check: () => T | Promise<T>,
  { withinMs = PATIENCE_MS, everyMs = POLL_MS }: Patience = {},
): Promise<T> {
  for (const deadline = performance.now() + withinMs; ; await delay(everyMs)) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** Waits until `condition` returns something truthy, and returns that. An error of it is thrown at once. */
export async function untilTrue<T>(
  condition: () => T | Promise<T>,
  what: string | (() => string),
  { withinMs = PATIENCE_MS, everyMs = POLL_MS }: Patience = {},
): Promise<NonNullable<T>> {
  for (const deadline = performance.now() + withinMs; ; await delay(everyMs)) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > deadline)
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`);
  }
}

/** Waits until `count` returns at least `wanted`, and returns its number. */
export function untilAtLeast(wanted: number, count: () => Promise<number>): Promise<number> {
  return until(async () => {
    const found = await count();
    if (found < wanted) throw new Error(`${found} of ${wanted}`);
    return found;
  });
}
