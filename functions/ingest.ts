import type { S3Event } from 'aws-lambda';
import { onEvent } from './boot.js';
import { type Counts, Duties } from './platform/duties.js';
import { type Ingestion, IngestUpload } from './uploads/ingest-upload.js';

/** When only this much of the function's time is left, reading stops and gives its upload back. */
const TIME_TO_STOP_MS = 15_000;

/**
 * Lambda handler (serverless.yml). An event of the bucket names objects. An event without Records comes every minute, for
 * the objects of which no event came. Throws when a store is away, so that the event is sent again.
 */
export const handler = onEvent<Partial<S3Event>, Ingestion[] | Counts>(TIME_TO_STOP_MS, async (app, stop, event) => {
  if (!event.Records) return app.get(Duties).pass('ingest', stop);
  const results: Ingestion[] = [];
  for (const { s3 } of event.Records)
    results.push(await app.get(IngestUpload).ingest(keyOf(s3.object.key), stop, s3.object.eTag));
  return results;
});

/**
 * Events encode a key as a form does:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
function keyOf(written: string): string {
  return decodeURIComponent(written.replaceAll('+', ' '));
}
