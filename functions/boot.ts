import middy from '@middy/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { createApp } from './app.js';
import { loadConfig } from './platform/config.js';
import { ARRIVED_HEADER } from './platform/http/arrival.js';
import { type Answer, answerInTime, lambdaServer } from './platform/http/lambda.js';
import type { Problem } from './platform/problem.js';
import { Runtime } from './platform/runtime.js';

/** The gateway gives up at 30 s, also where the function has more time. */
const GATEWAY_MS = 29_000;

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

const server = memoized(async () => lambdaServer(await booted()));

/**
 * A Lambda handler for requests. `beside`: members of the problems that the function answers itself, without a route. Two
 * parameters only: nodejs24.x refuses a third.
 */
export function onRequest(beside: (problem: Problem, method: string) => Record<string, unknown> = () => ({})) {
  return middy<APIGatewayProxyEventV2, Answer>({ timeoutEarlyInMillis: 0 }).handler(
    async (event: APIGatewayProxyEventV2, context: Context): Promise<Answer> => {
      // The connections to the stores stay open for the next request; waiting for them would never end.
      context.callbackWaitsForEmptyEventLoop = false;
      return answerInTime(
        Math.min(context.getRemainingTimeInMillis(), GATEWAY_MS),
        async () => (await server())(withArrival(event), context),
        (problem) => beside(problem, event.requestContext.http.method),
      );
    },
  );
}

/**
 * The event with a header that says when the gateway took the request. It is what a client waits from, cold start included,
 * and each request has its own: what the adapter knows of the current call is one variable for all.
 * guard: a header of this name that a client sends, in whatever letter case, is dropped
 */
function withArrival(event: APIGatewayProxyEventV2): APIGatewayProxyEventV2 {
  const sent = Object.entries(event.headers).filter(([name]) => name.toLowerCase() !== ARRIVED_HEADER);
  const headers = { ...Object.fromEntries(sent), [ARRIVED_HEADER]: String(event.requestContext.timeEpoch) };
  return { ...event, headers };
}

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
