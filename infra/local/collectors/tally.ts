/** A stream as its collector sees it. */
export class FollowedStream {
  /** The batch whose token the collector has forgotten: it comes again, here. */
  forgotten: ReadonlySet<string> = new Set();
  /** The batch that it had not acknowledged when it expired: it comes again, anywhere. */
  returned: ReadonlySet<string> = new Set();
}

/** What all collectors have received, each message by its `endToEndId`. */
export class Tally {
  /** All that came, repeats included. */
  received = 0;
  /** Answers that were lost on purpose. */
  crashes = 0;
  /** When the last message came, by `performance.now()`. */
  lastAt: number | undefined;
  /** The stream in which each message came last. */
  readonly #streams = new Map<string, FollowedStream>();
  /** What came again, and the stream in which it came before. */
  readonly #again: { id: string; before: FollowedStream }[] = [];

  /** A whole answer came. */
  receive(ids: readonly string[], stream: FollowedStream): void {
    this.lastAt = performance.now();
    this.received += ids.length;
    for (const id of ids) {
      const before = this.#streams.get(id);
      if (before && !(before === stream && stream.forgotten.has(id))) this.#again.push({ id, before });
      this.#streams.set(id, stream);
    }
    stream.forgotten = new Set();
  }

  get distinct(): number {
    return this.#streams.size;
  }

  /**
   * Messages that came again and must not. To be asked at the end: a collector may hear that its stream has expired after
   * another one has received what it held.
   */
  get wrong(): string[] {
    return this.#again.filter(({ id, before }) => !before.returned.has(id)).map(({ id }) => id);
  }
}
