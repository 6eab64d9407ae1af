import { Injectable } from '@nestjs/common';
import { ObjectStore } from '../platform/stores/object-store.js';
import { Log } from '../platform/telemetry/log.js';
import { IngestUpload } from './ingest-upload.js';
import { UploadExpired } from './uploads.errors.js';
import { type Sought, UploadsRepository } from './uploads.repository.js';

/** What became of uploads in one pass. */
export type Look = { accepted: number; refused: number };

const AT_A_TIME = 100;

/**
 * Asks the store for files that no event has told of: there are no events, one was lost, or its function died. Refuses an
 * upload whose file never came. Reads one file at a time. Several processes may look at once.
 */
@Injectable()
export class LookForUploads {
  constructor(
    private readonly store: ObjectStore,
    private readonly uploads: UploadsRepository,
    private readonly ingesting: IngestUpload,
    private readonly log: Log,
  ) {}

  /**
   * Looks once at all uploads that are due. An error with one upload is logged, and that upload comes again. Throws when
   * PostgreSQL is away.
   */
  async pass(stop: AbortSignal): Promise<Look> {
    const look: Look = { accepted: 0, refused: 0 };
    if (!this.store.isConfigured) return look;
    for (let due = AT_A_TIME; due === AT_A_TIME && !stop.aborted; ) {
      const sought = await this.uploads.due(AT_A_TIME);
      due = sought.length;
      for (const upload of sought) {
        if (stop.aborted) break;
        const found = await this.look(upload, stop).catch((error: unknown) => {
          this.log.warn({ upload_id: upload.id, err: error }, 'could not look for an upload; it is looked for again');
        });
        if (found === 'accepted' || found === 'refused') look[found]++;
      }
    }
    return look;
  }

  private async look({ id, object_key, open, received, over }: Sought, stop: AbortSignal) {
    const object = await this.store.head(object_key);
    if (object || (open && received)) return this.ingesting.ingest(object_key, stop);
    if (!open || !over) return 'absent';
    return (await this.uploads.refuse(id, new UploadExpired())) ? 'refused' : 'passed';
  }
}
