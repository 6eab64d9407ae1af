/** A service did not answer in time. */
export class AnswerTimeout extends Error {
  constructor(readonly deadlineMs: number) {
    super(`no answer within ${deadlineMs / 1_000} s`);
    this.name = 'AnswerTimeout';
  }
}

/** A connection that is opened at its first use and kept for the next. When a use fails or is late, it is closed. */
export class KeptConnection<C> {
  #opening: Promise<C> | undefined;

  constructor(
    private readonly open: () => Promise<C>,
    /** Called once for each connection that was opened. It never throws. */
    private readonly end: (connection: C) => void,
    private readonly deadlineMs: number,
  ) {}

  /** Rejects with what `work` or opening rejected with, or with AnswerTimeout. */
  async use<T>(work: (connection: C) => Promise<T>): Promise<T> {
    this.#opening ??= this.open();
    const used = this.#opening.then(work);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new AnswerTimeout(this.deadlineMs)), this.deadlineMs);
    });
    try {
      return await Promise.race([used, late]);
    } catch (error) {
      used.catch(() => {});
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#opening?.then(this.end, () => {});
    this.#opening = undefined;
  }
}
