/** A work without anything to do looks again after this while another goes on: there may be something new meanwhile. */
const LOOK_AGAIN_MS = 2_000;

/** Wakes all that wait for it. */
class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    for (const go of this.#waiting) go();
  }

  /** Resolves when it rings, or after `ms`. */
  rings(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.#waiting.delete(go);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(go, ms);
      this.#waiting.add(go);
    });
  }
}

/**
 * Repeats several works at once, each on its own, so that a slow one does not delay the others, until none of them has anything
 * to do, or told to stop. A work returns whether it did something. One that has nothing to do looks again whenever another
 * has done something, which may be new work for it. Rejects with the first error, when none of them runs any more.
 */
export async function untilIdle(works: readonly (() => Promise<boolean>)[], stop: AbortSignal): Promise<void> {
  let moves = 0;
  let hasFailed = false;
  const bell = new Bell();
  /** By work: how much had been done when it last began to look and found nothing. */
  const idleAt = new Map<() => Promise<boolean>, number>();
  const isOver = () => stop.aborted || hasFailed || works.every((work) => idleAt.get(work) === moves);
  const repeat = async (work: () => Promise<boolean>) => {
    while (!isOver()) {
      const seen = moves;
      if (await work()) {
        moves += 1;
        bell.ring();
        continue;
      }
      idleAt.set(work, seen);
      if (isOver()) bell.ring();
      else if (seen === moves) await bell.rings(LOOK_AGAIN_MS);
    }
  };
  const wake = () => bell.ring();
  stop.addEventListener('abort', wake);
  const ends = await Promise.allSettled(
    works.map((work) =>
      repeat(work).catch((error: unknown) => {
        hasFailed = true;
        bell.ring();
        throw error;
      }),
    ),
  );
  stop.removeEventListener('abort', wake);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
