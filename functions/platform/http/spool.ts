import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceUnavailable } from '../problem.js';

/** Bytes that go to the disk at a time: pieces of a form are smaller, and a write of each takes longer than the parsing. */
const BLOCK_BYTES = 64 * 1_024;

/**
 * Bytes put aside on this machine's disk, to be read again. The file loses its name as soon as it is open, so it is gone
 * with the process that wrote it, however that ends. Throws ServiceUnavailable when the disk is full or the folder is not there.
 */
export class Spool {
  #file: FileHandle | undefined;
  #block: Buffer | undefined;
  #size = 0;

  /** Appends a piece, and keeps nothing of it. */
  async add(piece: Uint8Array): Promise<void> {
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
    if (this.#size + piece.length > BLOCK_BYTES) await this.#write();
    if (piece.length > BLOCK_BYTES) {
      await this.#append(piece);
      return;
    }
    this.#block.set(piece, this.#size);
    this.#size += piece.length;
  }

  /** All that was added, from the beginning. */
  async *read(): AsyncGenerator<Uint8Array> {
    await this.#write();
    if (this.#file) yield* this.#file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Uint8Array>;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#size = 0;
  }

  async #write(): Promise<void> {
    if (!this.#block || this.#size === 0) return;
    await this.#append(this.#block.subarray(0, this.#size));
    this.#size = 0;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= await openNameless();
      await this.#file.appendFile(bytes);
    } catch (error) {
      throw new ServiceUnavailable(
        'the server cannot put the file aside: its folder for temporary files is full or not writable',
        error,
      );
    }
  }
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `disparo-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}
