import middy from '@middy/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { Context } from 'aws-lambda';
import { createApp } from './app.js';
import { loadConfig } from './platform/config.js';
import { Runtime } from './platform/runtime.js';

/** The first call runs `make`, and later calls get the same result. After a failure the next call runs it again. */
export function memoized<T>(make: () => Promise<T>): () => Promise<T> {
  let making: Promise<T> | undefined;
  return () => {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  };
}

/** The one app of this process, whichever handler is called. */
export const booted = memoized(async () => createApp(loadConfig(), new Runtime('function')));

/**
 * A Lambda handler for events. `work` is told to stop when `leaveMs` of the function's time are left. Two parameters only:
 * nodejs24.x refuses a third.
 */
export function onEvent<Event, Result>(
  leaveMs: number,
  work: (app: INestApplicationContext, stop: AbortSignal, event: Event) => Promise<Result>,
) {
  return middy<Event, Result>().handler(async (event: Event, context: Context) => {
    // The connections to the stores stay open for the next call; waiting for them would never end.
    context.callbackWaitsForEmptyEventLoop = false;
    const stop = AbortSignal.timeout(Math.max(context.getRemainingTimeInMillis() - leaveMs, 0));
    return work(await booted(), stop, event);
  });
}
