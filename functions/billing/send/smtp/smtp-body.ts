import { Duplex, Readable, type Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Two of them fill what the kernel takes at once; a look at the clock for each costs nothing. */
const PIECE_BYTES = 16 * 1024;

/**
 * The bytes of one mail, given piece by piece. The transport pipes it once the server has asked for the body, and it looks at
 * `mayGoOn` before each piece and before the end, since the end makes the transport write the dot. Where it may not, it gives
 * nothing any more, and no dot is ever written.
 */
export class LazyBody extends Readable {
  /** From here on the dot may be on its way, and only an answer can say what became of the mail. */
  handedOver = false;
  #given = 0;
  #begun = false;
  /** Between this stream and the socket: it doubles the dots and keeps some bytes while the socket is full. */
  #wire: Duplex | undefined;

  constructor(
    private readonly bytes: Buffer,
    private readonly socket: Writable,
    private readonly mayGoOn: () => boolean,
  ) {
    super({ highWaterMark: 1 });
    // The transport listens while it sends; an error of a stream that it has left must not end the process.
    this.on('error', () => {});
  }

  /** Whether a byte of it has been given. */
  get begun(): boolean {
    return this.#begun;
  }

  override pipe<T extends NodeJS.WritableStream>(wire: T, options?: { end?: boolean }): T {
    if (wire instanceof Duplex) this.#wire = wire;
    return super.pipe(wire, options);
  }

  override _read(): void {
    if (this.#given < this.bytes.length) this.#givePiece();
    else
      void this.#giveEnd().catch((error: unknown) =>
        this.destroy(error instanceof Error ? error : new Error('the end of a mail')),
      );
  }

  #givePiece(): void {
    if (!this.mayGoOn()) return;
    const piece = this.bytes.subarray(this.#given, this.#given + PIECE_BYTES);
    this.#given += piece.length;
    this.#begun = true;
    this.push(piece);
  }

  /**
   * The end is given once all before it has left this process. Else the dot could wait in our own buffer while the machine
   * sleeps, and go out hours after a person has said "not sent". The clock is read after that wait, right before the write.
   */
  async #giveEnd(): Promise<void> {
    do {
      if (this.socket.writableLength > 0) await new Promise<void>((left) => this.socket.write('', () => left()));
      // Two turns: between them all is read that the server has said already.
      await nextTurn();
      await nextTurn();
    } while (!this.destroyed && !this.socket.destroyed && this.#isWaiting());
    if (this.destroyed || !this.mayGoOn()) return;
    this.#begun = true;
    this.handedOver = true;
    this.push(null);
  }

  #isWaiting(): boolean {
    const { readableLength = 0, writableLength = 0 } = this.#wire ?? {};
    return readableLength + writableLength + this.socket.writableLength > 0;
  }
}
