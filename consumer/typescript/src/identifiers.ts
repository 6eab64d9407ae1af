import { Worker } from 'node:worker_threads';
import { createId } from '@paralleldrive/cuid2';

/** Characters of an identifier. */
const IDENTIFIER_LENGTH = 24;
/** Identifiers that come from the thread at a time, as one text. */
export const IDENTIFIERS_A_BLOCK = 5_000;
/** Made ahead, at most: 6 MB. */
const BLOCKS_AHEAD = 50;
/** Small campaigns are done before a thread has started. */
const BEFORE_A_THREAD = 1_000;
const WORKER = new URL('./identifiers.worker.js', import.meta.url);

/**
 * Identifiers of documents. A cuid2 costs more time than all else that is done with a number, so after the first thousand a
 * thread makes them ahead; when none of those is there, they are made here.
 */
export class Identifiers {
  readonly #blocks: string[] = [];
  #at = 0;
  #madeHere = 0;
  #worker: Worker | undefined;

  constructor(private readonly startWorker = () => new Worker(WORKER)) {}

  /** One that nobody else gets. */
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
    // An event without a listener would end the process, and there is another way to an identifier.
    worker.on('error', () => {});
    worker.unref();
    for (let block = 0; block < BLOCKS_AHEAD; block++) worker.postMessage('another');
    this.#worker = worker;
  }
}
