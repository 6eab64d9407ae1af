import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import { CompanyNotFound } from '../accounts/accounts.errors.js';
import { CompanyDeletion } from '../accounts/companies/company-deletion.js';
import { FileEmpty, FileTooLarge } from '../campaigns/campaigns.errors.js';
import { Config } from '../platform/config.js';
import { isId } from '../platform/http/validation.js';
import { ObjectStore } from '../platform/stores/object-store.js';
import { CAMPAIGN, type UploadRequest, type UploadRow } from './upload.js';
import { type UploadTaker, UploadTakers } from './upload-takers.js';
import { UploadNotFound, UploadsNotConfigured } from './uploads.errors.js';
import { UploadsRepository } from './uploads.repository.js';

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

const CAMPAIGN_FILES: Pick<UploadTaker, 'smallFiles' | 'empty' | 'tooLarge'> = {
  smallFiles: 'POST /api/campaigns',
  empty: () => new FileEmpty(NO_LINES),
  tooLarge: (limitMib) => new FileTooLarge(limitMib),
};

/** What a user asks an upload for. `size`: bytes of the file. */
export type WantedUpload = Pick<UploadRequest, 'companyId' | 'size' | 'becomes' | 'traceparent'>;

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
    private readonly takers: UploadTakers,
    deletion: CompanyDeletion,
  ) {
    deletion.onDelete(async (sql, companyId) => {
      const keys = await uploads.deleteOfCompany(sql, companyId);
      return async () => {
        if (store.isConfigured) for (const key of keys) await store.remove(key);
      };
    });
  }

  /** Throws UploadsNotConfigured, FileEmpty and FileTooLarge of its purpose, CompanyNotFound. */
  async ask(userId: string, wanted: WantedUpload): Promise<CreatedUpload> {
    const { companyId, size, becomes } = wanted;
    const rules = becomes.purpose === CAMPAIGN ? CAMPAIGN_FILES : this.takers.of(becomes.purpose);
    const { uploadLimitMib } = this.config;
    if (!this.store.isConfigured) throw new UploadsNotConfigured(rules.smallFiles);
    if (size === 0) throw rules.empty();
    if (size > uploadLimitMib * MIB) throw rules.tooLarge(uploadLimitMib);
    if (!isId(companyId)) throw new CompanyNotFound();
    const id = createId();
    const objectKey = `${KEY_PREFIX}${id}`;
    const { url, expiresAt } = await this.store.presignPut(objectKey, size, URL_LIFE_S);
    if (!(await this.uploads.insert({ ...wanted, id, userId, objectKey, expiresAt }))) throw new CompanyNotFound();
    return { id, url, expires_at: expiresAt };
  }

  /** Throws UploadNotFound. */
  async find(userId: string, id: string): Promise<UploadRow> {
    const row = await this.uploads.find(userId, id);
    if (!row) throw new UploadNotFound();
    return row;
  }
}
