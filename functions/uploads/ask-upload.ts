import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import { CompanyNotFound } from '../accounts/accounts.errors.js';
import { CompanyDeletion } from '../accounts/companies/company-deletion.js';
import { FileEmpty, FileTooLarge } from '../campaigns/campaigns.errors.js';
import { Config } from '../platform/config.js';
import { isId } from '../platform/http/validation.js';
import { ObjectStore } from '../platform/stores/object-store.js';
import { UploadNotFound, UploadsNotConfigured } from './uploads.errors.js';
import { type UploadRow, UploadsRepository } from './uploads.repository.js';
import type { NewUpload } from './uploads.schemas.js';

/** A PUT that begins within it may finish. */
const URL_LIFE_S = 3_600;
const MIB = 1_048_576;
/** Keys of uploads begin with it; the ingest function's event and the bucket's lifecycle rule go by it. */
const KEY_PREFIX = 'uploads/';
const NO_LINES = {
  lines: 0,
  accepted: 0,
  duplicate: 0,
  invalid: 0,
  blank: 0,
  phone_column: 1,
  rejects_kept: 0,
  rejects: [],
};

/** What POST /api/uploads answers. */
export interface CreatedUpload {
  id: string;
  url: string;
  expires_at: Date;
}

/** Gives URLs to send files to, and returns the state of their uploads. */
@Injectable()
export class AskUpload {
  constructor(
    private readonly config: Config,
    private readonly store: ObjectStore,
    private readonly uploads: UploadsRepository,
    deletion: CompanyDeletion,
  ) {
    deletion.onDelete(async (sql, companyId) => {
      const keys = await uploads.deleteOfCompany(sql, companyId);
      return async () => {
        if (store.isConfigured) for (const key of keys) await store.remove(key);
      };
    });
  }

  /** Throws UploadsNotConfigured, FileEmpty, FileTooLarge, CompanyNotFound. */
  async ask(userId: string, upload: NewUpload, traceparent: string): Promise<CreatedUpload> {
    const { name, message, company_id: companyId, allow_duplicates: allowDuplicates = false, size } = upload;
    const phoneColumn = upload.phone_column;
    if (!this.store.isConfigured) throw new UploadsNotConfigured();
    if (size === 0) throw new FileEmpty(NO_LINES);
    if (size > this.config.uploadLimitMib * MIB) throw new FileTooLarge(this.config.uploadLimitMib);
    if (!isId(companyId)) throw new CompanyNotFound();
    const id = createId();
    const objectKey = `${KEY_PREFIX}${id}`;
    const { url, expiresAt } = await this.store.presignPut(objectKey, size, URL_LIFE_S);
    const row = {
      id,
      companyId,
      userId,
      name,
      message,
      allowDuplicates,
      phoneColumn,
      size,
      objectKey,
      traceparent,
      expiresAt,
    };
    if (!(await this.uploads.insert(row))) throw new CompanyNotFound();
    return { id, url, expires_at: expiresAt };
  }

  /** Throws UploadNotFound. */
  async find(userId: string, id: string): Promise<UploadRow> {
    const row = await this.uploads.find(userId, id);
    if (!row) throw new UploadNotFound();
    return row;
  }
}
