import { unlessInterrupted } from '@disparo/contract';

/** A place in a row, like that of a batch in its queue: each batch is settled after the one before. */
export class Turn {
  #passed = () => {};
  readonly #behind = new Promise<void>((resolve) => {
    this.#passed = resolve;
  });

  private constructor(private readonly before: Promise<void>) {}

  /** The first in its row; it waits for no other. */
  static first(): Turn {
    return new Turn(Promise.resolve());
  }

  /** The place behind this one. */
  next(): Turn {
    return new Turn(this.#behind);
  }

  /** Waits until the one before has passed. One that was dropped never passes. Throws Interrupted when the signal fires. */
  wait(signal: AbortSignal): Promise<void> {
    return unlessInterrupted(signal, this.before);
  }

  /** It is done: the one behind may go on. */
  pass(): void {
    this.#passed();
  }
}
