/** What a check may take: about 25 ns each, so half a second. */
const MAX_STEPS = 20_000_000;

/** A check would take more steps than it may. */
export class TooCostly extends Error {}

/**
 * Counts the steps of one check after another, and ends one that takes too many: at the same step each time, however loaded
 * the machine is. Without it some pairs of schema and message take years, such as a `$ref` that doubles at each level.
 *
 * A step is about as long as an engine of patterns takes for one of its instructions on one character.
 */
export class Effort {
  #left = 0;

  begin(steps = MAX_STEPS): void {
    this.#left = steps;
  }

  /** Called before the work is done. Throws TooCostly. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooCostly('takes too many steps to check');
  }
}
