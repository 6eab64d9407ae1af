import middy from '@middy/core';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { booted, memoized } from './boot.js';
import { type Answer, answerInTime, lambdaServer } from './platform/http/lambda.js';

const server = memoized(async () => lambdaServer(await booted()));

/** The API behind API Gateway, and behind serverless offline. Two parameters only: nodejs24.x refuses a third. */
export const handler = middy<APIGatewayProxyEventV2, Answer>({ timeoutEarlyInMillis: 0 }).handler(
  async (event: APIGatewayProxyEventV2, context: Context): Promise<Answer> => {
    // The connections to the stores stay open for the next request; waiting for them would never end.
    context.callbackWaitsForEmptyEventLoop = false;
    return answerInTime(context.getRemainingTimeInMillis(), async () => (await server())(event, context));
  },
);
