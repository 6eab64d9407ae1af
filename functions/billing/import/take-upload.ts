import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../platform/stores/postgres.js';
import type { ReaderOf } from '../../uploads/upload.js';
import { type Taken, type UploadTaker, UploadTakers } from '../../uploads/upload-takers.js';
import { FileEmpty, FileTooLarge } from '../billing.errors.js';
import { AcceptImport } from './accept-import.js';

/**
 * Makes imports of files that come by URL. They are merged by the next pass: the function that reads files has other work to do, and
 * an upload is answered for by its import, not by its debts.
 */
@Injectable()
export class TakeUpload implements UploadTaker {
  readonly smallFiles = 'POST /api/billing/imports';

  constructor(
    private readonly accepting: AcceptImport,
    takers: UploadTakers,
  ) {
    takers.register('billing', this);
  }

  empty(): FileEmpty {
    return new FileEmpty();
  }

  tooLarge(limitMib: number): FileTooLarge {
    return new FileTooLarge(limitMib);
  }

  inPlace<T>(work: () => Promise<T>): Promise<T> {
    return this.accepting.inPlace(work);
  }

  /** Throws FileEmpty, HeaderInvalid, FileNotText, TooManyRejects, CompanyNotFound. */
  async take(sql: Transaction, reader: ReaderOf<'billing'>, bytes: AsyncIterable<Uint8Array>): Promise<Taken> {
    const { user_id: userId, company_id: companyId, file_name: fileName } = reader;
    const made = await this.accepting.accept(sql, { userId, companyId, fileName, bytes });
    return { importId: made.id, committed: () => this.accepting.committed(companyId, made) };
  }
}
