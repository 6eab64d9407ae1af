import { Injectable } from '@nestjs/common';
import { ObjectStore } from '../platform/stores/object-store.js';
import { Log } from '../platform/telemetry/log.js';
import { IngestUpload } from './ingest-upload.js';
import type { DueUpload } from './upload.js';
import { UploadTakers } from './upload-takers.js';
import { UploadExpired } from './uploads.errors.js';
import { UploadsRepository } from './uploads.repository.js';

/** How many uploads one pass accepted and refused. */
type IngestCounts = { accepted: number; refused: number };

const AT_A_TIME = 100;

/**
 * Asks the store for files that no event has told of: there are no events, one was lost, or its function died. Refuses an
 * upload whose file never came. Reads one file at a time. Several processes may run it at once.
 */
@Injectable()
export class IngestDueUploads {
  constructor(
    private readonly store: ObjectStore,
    private readonly uploads: UploadsRepository,
    private readonly takers: UploadTakers,
    private readonly ingesting: IngestUpload,
    private readonly log: Log,
  ) {}

  /**
   * Takes each upload that is due, once. An error with one upload is logged, and a later pass takes it again. Throws when
   * PostgreSQL is away.
   */
  async pass(stop: AbortSignal): Promise<IngestCounts> {
    const counts: IngestCounts = { accepted: 0, refused: 0 };
    if (!this.store.isConfigured) return counts;
    for (let due = AT_A_TIME; due === AT_A_TIME && !stop.aborted; ) {
      const uploads = await this.uploads.due(AT_A_TIME, this.takers.purposes);
      due = uploads.length;
      for (const upload of uploads) {
        if (stop.aborted) break;
        const result = await this.ingest(upload, stop).catch((error: unknown) => {
          this.log.warn({ upload_id: upload.id, err: error }, 'could not ingest an upload; a later pass tries again');
        });
        if (result === 'accepted' || result === 'refused') counts[result]++;
      }
    }
    return counts;
  }

  private async ingest({ id, object_key, open, received, over }: DueUpload, stop: AbortSignal) {
    const object = await this.store.head(object_key);
    if (object || (open && received)) return this.ingesting.ingest(object_key, stop);
    if (!open || !over) return 'absent';
    return (await this.uploads.refuse(id, new UploadExpired())) ? 'refused' : 'passed';
  }
}
