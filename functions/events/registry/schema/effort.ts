/** What a check may take, however small its message is: 5 ms at most. */
const BASE_STEPS = 200_000;
/**
 * And for each UTF-16 unit of the message: one of 256 KiB may take 0.7 s at most. Measured: lists of small objects or numbers
 * under an `anyOf` of two take 14 to 33 a unit, under one of ten 40 to 77.
 */
const STEPS_A_UNIT = 100;
/** Of the search for all errors. It keeps each that it finds, which takes 20 times as long as a step. */
const STEPS_FOR_ALL = 20_000;

/** A check would take more steps than it may. */
export class TooCostly extends Error {}

/**
 * Counts the steps of one check after another, and ends one that takes too many: at the same step each time, however loaded
 * the machine is. Without it some pairs of schema and message take years, such as a `$ref` that doubles at each level. What a
 * check may take grows with its message: who wants to keep us busy has to send as much.
 *
 * A step takes 25 ns at most, and most of them 1 to 15.
 */
export class Effort {
  #left = 0;
  #spent = 0;

  /** Of all checks together. */
  get spent(): number {
    return this.#spent;
  }

  /** @param units UTF-16 units of the message. */
  begin(units: number): void {
    this.#left = BASE_STEPS + STEPS_A_UNIT * units;
  }

  /** A search for all errors of a message that was refused. */
  beginForAll(): void {
    this.#left = STEPS_FOR_ALL;
  }

  /** Called before the work is done. Throws TooCostly. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooCostly('takes too many steps to check');
    this.#spent += steps;
  }
}
