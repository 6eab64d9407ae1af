import middy from '@middy/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { Context } from 'aws-lambda';
import { createApp } from './app.js';
import { loadConfig } from './platform/config.js';
import { type Counts, DISPATCH, Duties } from './platform/duties.js';

/** A pass stops at the next window when so little is left of the function's time. */
const TIME_TO_STOP_MS = 5_000;

let app: Promise<INestApplicationContext> | undefined;

/** The app of this process; a boot that failed is tried again by the next call. */
function booted(): Promise<INestApplicationContext> {
  app ??= (async () => createApp(loadConfig(), 'function'))().catch((error: unknown) => {
    app = undefined;
    throw error;
  });
  return app;
}

/** Lambda handler, every minute (serverless.yml). */
export const handler = middy<unknown, Counts>().handler(async (_event: unknown, context: Context) => {
  context.callbackWaitsForEmptyEventLoop = false;
  const stop = AbortSignal.timeout(Math.max(context.getRemainingTimeInMillis() - TIME_TO_STOP_MS, 0));
  return (await booted()).get(Duties).pass(DISPATCH, stop);
});
