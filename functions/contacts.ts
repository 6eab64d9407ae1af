import type { APIGatewayProxyEventV2, Context, ScheduledEvent } from 'aws-lambda';
import { onEvent, onRequest } from './boot.js';
import { besideAccepting, besideReading } from './contacts/contacts.errors.js';
import { ProcessContacts } from './contacts/process-contacts.js';
import type { Counts } from './platform/duties.js';
import type { Answer } from './platform/http/lambda.js';

/** Enough for the statement that runs to end. */
const TIME_TO_STOP_MS = 5_000;

const request = onRequest((problem, method) => (method === 'POST' ? besideAccepting : besideReading)(problem));
const pass = onEvent(TIME_TO_STOP_MS, (app, stop) => app.get(ProcessContacts).pass(stop));

/**
 * Lambda handler (serverless.yml). Requests of `/api/user` go to the app, as in `api.ts`. An event of the schedule comes every
 * minute, for the jobs that no request has brought to their end.
 */
export async function handler(
  event: APIGatewayProxyEventV2 | ScheduledEvent,
  context: Context,
): Promise<Answer | Counts> {
  return 'requestContext' in event ? request(event, context) : pass(event, context);
}
