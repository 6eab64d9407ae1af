import { ConfigurationError } from '@disparo/contract';
import middy from '@middy/core';
import { configure } from '@vendia/serverless-express';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { createApp } from './app.js';
import { loadConfig } from './platform/config.js';
import { ANSWER_HEADERS } from './platform/http/headers.js';
import { PROBLEM_JSON, type Problem, ServiceUnavailable } from './platform/problem.js';
import { createLog, type Log } from './platform/telemetry/log.js';

type Answer = APIGatewayProxyStructuredResultV2;
type Serve = (event: APIGatewayProxyEventV2, context: Context) => Promise<Answer>;

/** Before the function's own time is up: the caller gets a problem and not the gateway's words. */
const TIMEOUT_EARLY_MS = 500;
/** What is text. All else goes through API Gateway as base64, or it is corrupted. */
const TEXT = /^(text\/|application\/([\w.-]+\+)?(json|javascript|xml|yaml)\b)/i;

let booting: Promise<Serve> | undefined;

/** Made once a process; after a failure the next request tries again. */
function serve(): Promise<Serve> {
  booting ??= boot().catch((error: unknown) => {
    booting = undefined;
    throw error;
  });
  return booting;
}

async function boot(): Promise<Serve> {
  const app = await createApp(loadConfig(), 'function');
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.ready();
  return configure({
    app: { handler: (request: never, response: never) => fastify.routing(request, response) } as never,
    binarySettings: { isBinary },
  }) as unknown as Serve;
}

function isBinary({ headers }: { headers: Record<string, string | string[] | undefined> }): boolean {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return true;
  const type = headers['content-type'];
  return typeof type === 'string' && !TEXT.test(type);
}

function answerOf(problem: Problem): Answer {
  return {
    statusCode: problem.status,
    headers: { ...ANSWER_HEADERS, ...problem.headers, 'content-type': PROBLEM_JSON },
    body: JSON.stringify(problem.body()),
  };
}

/** A log of its own, since what failed may be the configuration. */
function log(): Log {
  return createLog('info');
}

/** The API behind API Gateway, and behind serverless offline. Two parameters only: nodejs24.x refuses a third. */
export const handler = middy<APIGatewayProxyEventV2, Answer>({
  timeoutEarlyInMillis: TIMEOUT_EARLY_MS,
  timeoutEarlyResponse: () =>
    answerOf(new ServiceUnavailable('the request took too long; it may have been done, so look before you repeat it')),
}).handler(async (event: APIGatewayProxyEventV2, context: Context): Promise<Answer> => {
  // The connections to the stores stay open for the next request; waiting for them would never end.
  context.callbackWaitsForEmptyEventLoop = false;
  try {
    return await (await serve())(event, context);
  } catch (error) {
    if (error instanceof ConfigurationError) log().error({ variable: error.variable }, error.message);
    else log().error({ err: error }, 'the function could not answer');
    return answerOf(new ServiceUnavailable('the function could not answer'));
  }
});
