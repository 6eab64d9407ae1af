import { setTimeout as pause } from 'node:timers/promises';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { MadeQueue } from './queues.js';

/** The settings of an event source mapping, as AWS names them. */
interface MappingOptions {
  client: SQSClient;
  queue: MadeQueue;
  region: string;
  /** Messages of an event at most. */
  batchSize: number;
  /** From the first message of an event until it goes, in seconds. */
  windowS: number;
  /** Events under way at once. */
  concurrency: number;
  /** Calls the function. Resolves with what it answered, parsed; rejects when it cannot be called. */
  invoke(event: { Records: object[] }): Promise<unknown>;
  /** Takes one line about what went wrong. */
  say(line: string): void;
}

const AT_ONCE = 10;
const LONG_POLL_S = 20;
/** An event of Lambda is 6 MB at most. One more receive fits: ten messages of 256 KiB. */
const FULL_BYTES = 3 * 1_024 * 1_024;
/** AWS gives a failed message again after the visibility timeout; nobody waits for six minutes on his own machine. */
const LONGEST_AGAIN_S = 60;
const AFTER_ERROR_MS = 1_000;

/**
 * Does what Lambda does with a queue whose function reports failures: posts messages to the function and deletes all but
 * those that it reports. What fails comes again after 1, 2, 4 ... 60 s. Where the answer is no report, all has failed.
 */
export class Mapping {
  readonly #stop = new AbortController();
  readonly #workers: Promise<void>[];

  constructor(private readonly options: MappingOptions) {
    this.#workers = Array.from({ length: options.concurrency }, () => this.#work());
  }

  /** Takes no more messages; resolves when the last event is settled. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const messages = await this.#gather();
        if (messages.length > 0) await this.#settle(messages, await this.#failed(messages));
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.options.say((error as Error).message);
        await pause(AFTER_ERROR_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  /** Waits for a first message, and takes what else is there. */
  async #gather(): Promise<Message[]> {
    const { batchSize, windowS } = this.options;
    const messages = await this.#receive(Math.min(AT_ONCE, batchSize), LONG_POLL_S);
    const until = performance.now() + windowS * 1_000;
    while (messages.length > 0 && messages.length < batchSize && performance.now() < until && isSmall(messages)) {
      // Nothing that is received is left behind: an error here must not lose the earlier ones for six minutes.
      const more = await this.#receive(Math.min(AT_ONCE, batchSize - messages.length), 0).catch(() => []);
      if (more.length === 0) break;
      messages.push(...more);
    }
    return messages;
  }

  async #receive(count: number, waitS: number): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.options.queue.url,
      MaxNumberOfMessages: count,
      WaitTimeSeconds: waitS,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    });
    const { Messages = [] } = await this.options.client.send(command, { abortSignal: this.#stop.signal });
    return Messages;
  }

  /** The ids of what has failed. */
  async #failed(messages: readonly Message[]): Promise<Set<string>> {
    const { queue, region } = this.options;
    const ids = new Set(messages.map(({ MessageId = '' }) => MessageId));
    try {
      const answer = await this.options.invoke({ Records: messages.map((message) => record(message, queue, region)) });
      const failed = reported(answer, ids);
      if (failed) return failed;
      this.options.say(`all ${ids.size} come again: it answered ${JSON.stringify(answer)?.slice(0, 300)}`);
    } catch (error) {
      this.options.say(`all ${ids.size} come again: ${(error as Error).message}`);
    }
    return ids;
  }

  async #settle(messages: readonly Message[], failed: ReadonlySet<string>): Promise<void> {
    const { client, queue } = this.options;
    for (let at = 0; at < messages.length; at += AT_ONCE) {
      const ten = messages.slice(at, at + AT_ONCE).map((message, id) => ({ message, Id: String(id) }));
      const of = (isFailed: boolean) => ten.filter(({ message }) => failed.has(message.MessageId ?? '') === isFailed);
      const gone = of(false).map(({ message, Id }) => ({ Id, ReceiptHandle: message.ReceiptHandle }));
      const kept = of(true).map(({ message, Id }) => ({
        Id,
        ReceiptHandle: message.ReceiptHandle,
        VisibilityTimeout: againS(message),
      }));
      const QueueUrl = queue.url;
      if (gone.length > 0) await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: gone }));
      if (kept.length > 0) await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: kept }));
    }
  }
}

function isSmall(messages: readonly Message[]): boolean {
  return messages.reduce((sum, { Body = '' }) => sum + Buffer.byteLength(Body), 0) < FULL_BYTES;
}

function againS({ Attributes }: Message): number {
  return Math.min(2 ** (Number(Attributes?.ApproximateReceiveCount ?? 1) - 1), LONGEST_AGAIN_S);
}

/** What a function reports as failed. Undefined: it is no report, or names a message that is not of its event. */
function reported(answer: unknown, ids: ReadonlySet<string>): Set<string> | undefined {
  const failures = (answer as { batchItemFailures?: unknown } | null | undefined)?.batchItemFailures;
  if (!Array.isArray(failures)) return undefined;
  const failed = failures.map((each: { itemIdentifier?: unknown } | null) => each?.itemIdentifier);
  return failed.every((id): id is string => typeof id === 'string' && ids.has(id)) ? new Set(failed) : undefined;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */
function record(message: Message, { arn }: MadeQueue, region: string): object {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, { DataType, StringValue }]) => [
    name,
    { dataType: DataType, stringValue: StringValue, stringListValues: [], binaryListValues: [] },
  ]);
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes,
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion: region,
  };
}
