import { Injectable } from '@nestjs/common';
import type { Problem } from '../platform/problem.js';
import type { Transaction } from '../platform/stores/postgres.js';
import { CAMPAIGN, type ReaderOf } from './upload.js';

/** What a file became. */
export interface Taken {
  importId: string;
  /** Called after the commit, and only then. */
  committed(): void;
}

/** What a module makes of the files of its purpose. */
export interface UploadTaker {
  /** The route that takes a small file by itself, told where there is no object store. */
  smallFiles: string;
  /** How an empty file is refused, and one over the limit. */
  empty(): Problem;
  tooLarge(limitMib: number): Problem;
  /** Runs `work`, which keeps a connection until a file is read, when there is a place for it. Throws ServiceUnavailable. */
  inPlace<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Reads a file to its end and stores what it becomes, in a transaction that commits only if the upload is still open. It locks
   * the company, if at all, after the file is read: whoever deletes the company waits from then on. A Problem below 500 refuses the
   * file for good, any other error is tried again.
   */
  take(sql: Transaction, reader: ReaderOf<'billing'>, bytes: AsyncIterable<Uint8Array>): Promise<Taken>;
}

/** Who takes the files of a purpose. Campaigns are taken here; another module registers when it is built. */
@Injectable()
export class UploadTakers {
  readonly #takers = new Map<string, UploadTaker>();

  register(purpose: 'billing', taker: UploadTaker): void {
    this.#takers.set(purpose, taker);
  }

  /** Those whose files this process may read. A file of another purpose waits for a process that knows it. */
  get purposes(): string[] {
    return [CAMPAIGN, ...this.#takers.keys()];
  }

  of(purpose: 'billing'): UploadTaker {
    const taker = this.#takers.get(purpose);
    if (!taker) throw new Error(`nobody takes files of the purpose ${purpose}`);
    return taker;
  }
}
