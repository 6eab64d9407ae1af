import type { S3Event } from 'aws-lambda';
import { onEvent } from './boot.js';
import { type Counts, Duties } from './platform/duties.js';
import { type Ingestion, IngestUpload } from './uploads/ingest-upload.js';

/** Reading stops and gives its upload back when so little is left of the function's time. */
const TIME_TO_STOP_MS = 15_000;

/**
 * Lambda handler (serverless.yml): of each object that the bucket tells of, and every minute, without Records, of those
 * that it did not. Throws when a store is away, so that the event comes again.
 */
export const handler = onEvent<Partial<S3Event>, Ingestion[] | Counts>(TIME_TO_STOP_MS, async (app, stop, event) => {
  if (!event.Records) return app.get(Duties).pass('ingest', stop);
  const results: Ingestion[] = [];
  for (const { s3 } of event.Records)
    results.push(await app.get(IngestUpload).ingest(keyOf(s3.object.key), stop, s3.object.eTag));
  return results;
});

/** Events write a key as a form does: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
function keyOf(written: string): string {
  return decodeURIComponent(written.replaceAll('+', ' '));
}
