import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { onEvent } from './boot.js';
import { ProcessEvents } from './events/intake/process-events.js';
import { storeRecords } from './events/intake/store-records.js';
import { Log } from './platform/telemetry/log.js';

/** Enough to answer: a function that is ended keeps its messages hidden in the queue for six minutes, and tells nothing. */
const TIME_TO_STOP_MS = 5_000;

/** Lambda handler (serverless.yml). Each record of its event is a message of the queue of events on SQS. */
export const handler = onEvent<SQSEvent, SQSBatchResponse>(TIME_TO_STOP_MS, (app, stop, { Records }) =>
  storeRecords(app.get(ProcessEvents), app.get(Log), Records, stop),
);
