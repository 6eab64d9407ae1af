import { unlessInterrupted } from './until-up.js';

/** A place in a row, as that of a batch among those of its queue: each is settled after the one before. */
export class Turn {
  #passed = () => {};
  readonly #behind = new Promise<void>((resolve) => {
    this.#passed = resolve;
  });

  private constructor(private readonly before: Promise<void>) {}

  /** The first in its row; it waits for nobody. */
  static first(): Turn {
    return new Turn(Promise.resolve());
  }

  /** The place behind this one. */
  next(): Turn {
    return new Turn(this.#behind);
  }

  /** Waits until the one before has passed, which one that was dropped never does. Throws Interrupted when the signal fires. */
  wait(signal: AbortSignal): Promise<void> {
    return unlessInterrupted(signal, this.before);
  }

  /** It is done: the one behind may go on. */
  pass(): void {
    this.#passed();
  }
}
