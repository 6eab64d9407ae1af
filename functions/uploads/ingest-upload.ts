import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import { FileTooLarge, requireNumbers } from '../campaigns/campaigns.errors.js';
import { readNumbers } from '../campaigns/create/numbers-part.js';
import { AcceptCampaign } from '../ledger/accept/accept-campaign.js';
import { PublishCampaign } from '../ledger/publish/publish-campaign.js';
import { Config } from '../platform/config.js';
import { Problem, ServiceUnavailable } from '../platform/problem.js';
import { ObjectStore, type OpenObject, type StoredObject } from '../platform/stores/object-store.js';
import { Postgres, type Transaction } from '../platform/stores/postgres.js';
import { Log } from '../platform/telemetry/log.js';
import { traceIdOf } from '../platform/telemetry/trace.js';
import { unlessSilent, unlessStopped } from './object-bytes.js';
import { CAMPAIGN, type Reader, type ReaderOf } from './upload.js';
import { type Taken, UploadTakers } from './upload-takers.js';
import { SizeMismatch, UploadUnreadable, UploadUsedTwice } from './uploads.errors.js';
import { UploadsRepository } from './uploads.repository.js';

/**
 * The result of one call. `absent`: the object is not there yet. `passed`: another process reads it, or it is decided, or it
 * is no upload of ours.
 */
export type Ingestion = 'accepted' | 'refused' | 'absent' | 'passed';

const MIB = 1_048_576;
const RENEW_EVERY_MS = 15_000;
/** This many readers may vanish or fail in the middle of a file; the next one refuses it. */
const ATTEMPTS = 5;

/** What is said of a file that became something, and what is done after it. */
interface AcceptedFile {
  fields: Record<string, unknown>;
  goOn(): Promise<unknown>;
}

/** Rolls back what was stored of a file whose upload was decided meanwhile. */
class DecidedMeanwhile extends Error {}

/**
 * Reads an uploaded file and accepts it as a campaign, or as what the taker of its purpose makes of it, or refuses it. Safe to call
 * at any time, any number of times, by several at once: a lease lets one of them read, and the upload's row decides, in the
 * transaction that inserts the campaign or the import.
 */
@Injectable()
export class IngestUpload {
  constructor(
    private readonly config: Config,
    private readonly postgres: Postgres,
    private readonly store: ObjectStore,
    private readonly uploads: UploadsRepository,
    private readonly takers: UploadTakers,
    private readonly accepting: AcceptCampaign,
    private readonly publishing: PublishCampaign,
    private readonly log: Log,
  ) {}

  /**
   * `etag`: of the object that an event tells of. Throws when a store is away, or when told to stop: then nothing is done,
   * and the next call begins anew.
   */
  async ingest(objectKey: string, stop: AbortSignal, etag?: string): Promise<Ingestion> {
    const reader = await this.uploads.claim(objectKey, this.takers.purposes);
    if (!reader) return this.clearAway(objectKey, etag);
    const renewing = setInterval(() => void this.renew(reader), RENEW_EVERY_MS);
    try {
      if (reader.attempts > ATTEMPTS) return await this.refuse(reader, new UploadUnreadable(ATTEMPTS));
      return await this.open(reader, stop);
    } catch (error) {
      // A lease that cannot be given back ends by itself.
      const counts = !(error instanceof ServiceUnavailable);
      await this.uploads.release(reader, { counts }).catch(() => undefined);
      throw error;
    } finally {
      clearInterval(renewing);
    }
  }

  private async open(reader: Reader, stop: AbortSignal): Promise<Ingestion> {
    const object = await this.store.open(reader.object_key);
    try {
      await this.uploads.mark(reader, object !== undefined);
      if (object) return await this.read(reader, object, stop);
      await this.uploads.release(reader, { counts: false });
      return 'absent';
    } finally {
      object?.close();
    }
  }

  private async read(reader: Reader, object: OpenObject, stop: AbortSignal): Promise<Ingestion> {
    const started = Date.now();
    let accepted: AcceptedFile | undefined;
    try {
      this.checkSize(reader, object);
      accepted =
        reader.purpose === CAMPAIGN
          ? await this.acceptCampaign(reader, object, stop)
          : await this.acceptByTaker(reader, object, stop);
    } catch (error) {
      if (error instanceof Problem && error.status < 500) return this.refuse(reader, error);
      throw error;
    }
    if (!accepted) return this.clearAway(reader.object_key);
    const { id: upload_id, company_id, traceparent } = reader;
    const fields = { upload_id, ...accepted.fields, company_id, trace_id: traceIdOf(traceparent), bytes: object.size };
    this.log.info({ ...fields, ingest_ms: Date.now() - started }, 'accepted an uploaded file');
    await this.remove(reader.object_key);
    await accepted.goOn();
    return 'accepted';
  }

  private checkSize({ purpose, size }: Reader, object: StoredObject): void {
    const { uploadLimitMib } = this.config;
    if (object.size > uploadLimitMib * MIB)
      throw purpose === CAMPAIGN ? new FileTooLarge(uploadLimitMib) : this.takers.of(purpose).tooLarge(uploadLimitMib);
    if (object.size !== size) throw new SizeMismatch(size, object.size);
  }

  /** Undefined: it was decided meanwhile, or its company is gone. */
  private async acceptCampaign(
    reader: ReaderOf<typeof CAMPAIGN>,
    object: OpenObject,
    stop: AbortSignal,
  ): Promise<AcceptedFile | undefined> {
    const options = { allowDuplicates: reader.allow_duplicates, column: reader.phone_column ?? undefined };
    const recipients = await readNumbers(unlessStopped(object.bytes, stop), options);
    requireNumbers(recipients);
    const { name, message, company_id: companyId, user_id: userId, traceparent } = reader;
    const campaign = { id: createId(), name, message, companyId, userId, traceparent, recipients };
    const accepted = await this.postgres.transaction(async (sql) => {
      if (!(await this.uploads.lock(sql, reader))) return undefined;
      const made = await this.accepting.accept(sql, campaign);
      await this.uploads.accept(sql, reader.id, { campaignId: campaign.id, file: recipients.summary() }, object);
      return made;
    }, stop);
    return (
      accepted && {
        fields: { campaign_id: accepted.row.id, numbers: accepted.row.total },
        goOn: () => this.publishing.publish(accepted.claim, stop),
      }
    );
  }

  /**
   * Undefined: it was decided meanwhile. The file is stored while it is read, and the upload is locked and looked at after that, just
   * before the commit. Locked from the start, a company could not be deleted for the minutes that a large file takes.
   */
  private async acceptByTaker(
    reader: ReaderOf<'billing'>,
    object: OpenObject,
    stop: AbortSignal,
  ): Promise<AcceptedFile | undefined> {
    const taker = this.takers.of(reader.purpose);
    const store = async (sql: Transaction): Promise<Taken> => {
      const taken = await taker.take(sql, reader, unlessSilent(sql, unlessStopped(object.bytes, stop)));
      if (!(await this.uploads.lock(sql, reader))) throw new DecidedMeanwhile();
      await this.uploads.accept(sql, reader.id, { importId: taken.importId }, object);
      return taken;
    };
    try {
      const { importId, committed } = await taker.inPlace(() => this.postgres.transaction(store, stop));
      committed();
      return { fields: { import_id: importId }, goOn: async () => {} };
    } catch (error) {
      if (error instanceof DecidedMeanwhile) return undefined;
      throw error;
    }
  }

  private async refuse(reader: Reader, problem: Problem): Promise<Ingestion> {
    if (!(await this.uploads.refuse(reader.id, problem))) return this.clearAway(reader.object_key);
    const { id, company_id, traceparent } = reader;
    const fields = { upload_id: id, company_id, trace_id: traceIdOf(traceparent), code: problem.code };
    this.log.info(fields, 'refused an uploaded file');
    await this.remove(reader.object_key);
    return 'refused';
  }

  /**
   * Removes the object of a decided upload. It is the file itself, when removing it failed; or another file, which an
   * accepted upload then reports. An event may be late and tell of an object that is gone.
   */
  private async clearAway(objectKey: string, etag?: string): Promise<'passed'> {
    const decided = await this.uploads.decided(objectKey);
    if (!decided) return 'passed';
    const { object_etag: taken, object_modified: modified } = decided;
    const object = await this.store.head(objectKey);
    if (taken !== null) {
      const isOther = object && (object.etag !== taken || object.lastModified.getTime() !== modified?.getTime());
      const toldOfOther = etag !== undefined && bare(etag) !== bare(taken);
      if (isOther || toldOfOther) await this.uploads.usedTwice(decided.id, new UploadUsedTwice());
    }
    if (object) await this.remove(objectKey);
    return 'passed';
  }

  private async renew(reader: Reader): Promise<void> {
    await this.uploads.renew(reader).catch((error: unknown) => {
      this.log.warn({ upload_id: reader.id, err: error }, 'could not renew the lease of an upload');
    });
  }

  /** Best effort: a later pass tries again, and the bucket deletes what is old. */
  private async remove(objectKey: string): Promise<void> {
    await this.store.remove(objectKey).catch((error: unknown) => {
      this.log.warn({ object_key: objectKey, err: error }, 'could not remove an object that has been read');
    });
  }
}

/** Events write an ETag without its quotes. */
function bare(etag: string): string {
  return etag.replaceAll('"', '');
}
