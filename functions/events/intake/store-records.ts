import { Interrupted, unlessInterrupted } from '@disparo/contract';
import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended } from '../../platform/stores/postgres.js';
import type { Log } from '../../platform/telemetry/log.js';
import type { ProcessEvents } from './process-events.js';

/**
 * Stores the records of an event of Lambda, and returns those that SQS has to keep: none, or all of them when storing failed or
 * was not over when `stop` aborts. What was stored nevertheless is found by its key when it comes again.
 */
export async function storeRecords(
  processing: Pick<ProcessEvents, 'once'>,
  log: Pick<Log, 'error'>,
  records: readonly SQSRecord[],
  stop: AbortSignal,
): Promise<SQSBatchResponse> {
  const deliveries = records.map(({ body, messageId }) => ({ body: Buffer.from(body), key: `b:${messageId}` }));
  try {
    if (stop.aborted) throw new Interrupted();
    await unlessInterrupted(stop, processing.once(deliveries));
    return { batchItemFailures: [] };
  } catch (error) {
    const why = stop.aborted ? 'the time is over' : whyOf(error);
    log.error({ messages: records.length, err: error }, `no event of the queue is taken as stored: ${why}`);
    return { batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  }
}

function whyOf(error: unknown): string {
  if (isContended(error)) return 'the database is too busy';
  return error instanceof ServiceUnavailable ? error.message : 'a bug';
}
