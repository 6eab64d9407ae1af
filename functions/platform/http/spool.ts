import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Bytes put aside on this machine's disk, to be read again. The file loses its name as soon as it is open, so it is gone
 * with the process that wrote it, however that ends.
 */
export class Spool {
  #file: FileHandle | undefined;

  /** Appends a piece. */
  async add(piece: Uint8Array): Promise<void> {
    this.#file ??= await openNameless();
    await this.#file.appendFile(piece);
  }

  /** All that was added, from the beginning. */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.#file) yield* this.#file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Uint8Array>;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `disparo-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}
