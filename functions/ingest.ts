import middy from '@middy/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { Context, S3Event } from 'aws-lambda';
import { createApp } from './app.js';
import { loadConfig } from './platform/config.js';
import { type Counts, Duties } from './platform/duties.js';
import { type Ingestion, IngestUpload } from './uploads/ingest-upload.js';

/** Reading stops and gives its upload back when so little is left of the function's time. */
const TIME_TO_STOP_MS = 15_000;

let app: Promise<INestApplicationContext> | undefined;

/** The app of this process; a boot that failed is tried again by the next call. */
function booted(): Promise<INestApplicationContext> {
  app ??= (async () => createApp(loadConfig(), 'function'))().catch((error: unknown) => {
    app = undefined;
    throw error;
  });
  return app;
}

/**
 * Lambda handler (serverless.yml): of each object that the bucket tells of, and every minute, without Records, of those
 * that it did not. Throws when a store is away, so that the event comes again.
 */
export const handler = middy<Partial<S3Event>, Ingestion[] | Counts>().handler(
  async (event: Partial<S3Event>, context: Context) => {
    context.callbackWaitsForEmptyEventLoop = false;
    const stop = AbortSignal.timeout(Math.max(context.getRemainingTimeInMillis() - TIME_TO_STOP_MS, 0));
    const inner = await booted();
    if (!event.Records) return inner.get(Duties).pass('ingest', stop);
    const ingesting = inner.get(IngestUpload);
    const results: Ingestion[] = [];
    for (const { s3 } of event.Records)
      results.push(await ingesting.ingest(keyOf(s3.object.key), stop, s3.object.eTag));
    return results;
  },
);

/** Events write a key as a form does: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
function keyOf(written: string): string {
  return decodeURIComponent(written.replaceAll('+', ' '));
}
