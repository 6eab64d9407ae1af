import { Spool } from '../../platform/http/spool.js';
import { inTurns } from '../../platform/in-turns.js';
import { PhoneColumnUnknown } from '../../recipients/recipients.errors.js';
import type { Recipients } from '../../recipients/recipients.js';
import { type PhoneColumn, type ReadOptions, RecipientsFile } from '../../recipients/recipients-file.js';

/**
 * The file of a form, read while it arrives. The field that names its column may come after the file. Then a file of several
 * columns is read again, from this machine's disk.
 */
export class NumbersPart {
  readonly #spool = new Spool();
  #column: PhoneColumn | undefined;
  #file: RecipientsFile | undefined;
  /** What is wrong with the file as it was read. With another column it may be fine. */
  #problem: unknown;

  /** `column`: the field `phone_column`, if it came before the file. */
  begin(column: PhoneColumn | undefined): (piece: Uint8Array) => Promise<void> | void {
    const file = new RecipientsFile(column);
    this.#column = column;
    this.#file = file;
    return (piece) => {
      const kept = column === undefined && file.columns !== 1 ? this.#spool.add(piece) : undefined;
      return kept ? kept.then(() => this.#write(file, piece)) : this.#write(file, piece);
    };
  }

  /** The numbers and rejects of the file. Throws FileIsNotText, PhoneColumnUnknown. */
  async recipients(options: ReadOptions): Promise<Recipients> {
    const file = this.#file ?? new RecipientsFile(options.column);
    if (options.column !== this.#column) {
      if (file.columns !== 1) return readNumbers(this.#spool.read(), options);
      if (!file.reads(options.column)) throw new PhoneColumnUnknown([file.column]);
    }
    if (this.#problem) throw this.#problem;
    return file.finish(options);
  }

  close(): Promise<void> {
    return this.#spool.close();
  }

  #write(file: RecipientsFile, piece: Uint8Array): void {
    if (this.#problem) return;
    try {
      file.write(piece);
    } catch (error) {
      this.#problem = error;
    }
  }
}

/**
 * The numbers of a file that arrives as a stream of bytes. Throws FileIsNotText and PhoneColumnUnknown at once, without
 * reading the rest.
 */
export async function readNumbers(bytes: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Recipients> {
  const file = new RecipientsFile(options.column);
  for await (const piece of inTurns(bytes)) file.write(piece);
  return file.finish(options);
}
