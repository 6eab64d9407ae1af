import { Worker } from 'node:worker_threads';
import { createId } from '@paralleldrive/cuid2';

/** Characters of an identifier. */
const IDENTIFIER_LENGTH = 24;
/** Identifiers that come from the thread at a time, as one text. */
export const IDENTIFIERS_A_BLOCK = 5_000;
/** Blocks made ahead, at most: 6 MB. */
const BLOCKS_AHEAD = 50;
/** Identifiers made here before a thread is started: a small campaign is done before a thread would be ready. */
const BEFORE_A_THREAD = 1_000;
const WORKER = new URL('./identifiers.worker.js', import.meta.url);

/**
 * Makes the identifiers of documents. A cuid2 costs more time than everything else that is done for a number. So after the
 * first thousand a thread makes them ahead; when none of those is ready, one is made here.
 */
export class Identifiers {
  readonly #blocks: string[] = [];
  #at = 0;
  #madeHere = 0;
  #worker: Worker | undefined;

  constructor(private readonly startWorker = () => new Worker(WORKER)) {}

  /** Returns an identifier; no other call gets the same one. */
  take(): string {
    const [block] = this.#blocks;
    if (block === undefined) return this.#make();
    const identifier = block.slice(this.#at, this.#at + IDENTIFIER_LENGTH);
    this.#at += IDENTIFIER_LENGTH;
    if (this.#at >= block.length) {
      this.#blocks.shift();
      this.#at = 0;
      this.#worker?.postMessage('another');
    }
    return identifier;
  }

  #make(): string {
    if (++this.#madeHere === BEFORE_A_THREAD) this.#workAhead();
    return createId();
  }

  #workAhead(): void {
    const worker = this.startWorker();
    worker.on('message', (block: string) => this.#blocks.push(block));
    // Without a listener the event would end the process. Without the thread, identifiers are made here.
    worker.on('error', () => {});
    worker.unref();
    for (let block = 0; block < BLOCKS_AHEAD; block++) worker.postMessage('another');
    this.#worker = worker;
  }
}
