import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { ConfigurationError, Interrupted } from '@disparo/contract';
import type { SqsConfig } from '../../platform/config.js';
import type { Log } from '../../platform/telemetry/log.js';
import type { BatchLimits, Delivery, EventSource } from './event-source.js';
import { Inbox } from './inbox.js';
import { sqsClient, sqsSdk } from './sqs-client.js';
import { refusedBySqs } from './sqs-refusal.js';

/** A message of SQS; `handle` deletes or releases this one receipt of it. */
export interface SqsDelivery extends Delivery {
  readonly handle: string;
}

/** Limits of SQS: messages of a request, and the longest wait for the first one. */
const AT_ONCE = 10;
const LONG_POLL_S = 20;
/** From the receipt of a message until it comes again, unless it is deleted. */
const HIDDEN_S = 60;
const POLLS = 8;
/** Messages that are received and not taken yet, those included that open polls may bring. */
const BUFFER = 1_000;
/** Bytes of their bodies. What an open poll may bring is taken for as large as the largest message that came so far. */
const BUFFER_BYTES = 16 * 1_024 * 1_024;
const REQUESTS = 8;
const CONNECT_TIMEOUT_MS = 5_000;
/** A long poll is silent until its first message. */
const SILENCE_MS = (LONG_POLL_S + 10) * 1_000;
const LIMITS = { requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_MS } };

/**
 * Asks for the URL of the queue and begins to receive. Rejects with ConfigurationError where SQS refuses us for what only an
 * operator can change, else with an error that is worth a retry. `log` hears at debug of what SQS did not delete or release.
 */
export async function openSqs(
  config: SqsConfig,
  stop: AbortSignal,
  log?: Pick<Log, 'debug'>,
): Promise<EventSource<SqsDelivery>> {
  const { GetQueueUrlCommand } = await sqsSdk();
  const { queue } = config;
  const client = await sqsClient(config, LIMITS);
  try {
    const { QueueUrl = '' } = await client.send(new GetQueueUrlCommand({ QueueName: queue }), { abortSignal: stop });
    return new SqsSource(queue, QueueUrl, client, await sqsSdk(), stop, log);
  } catch (error) {
    client.destroy();
    if (stop.aborted) throw new Interrupted();
    const refused = refusedBySqs(error, queue);
    throw refused ? new ConfigurationError(refused.variable, refused.problem) : error;
  }
}

/** How many messages SQS says that anybody may receive: nearly. Rejects when it does not answer. */
export async function readyInSqs(config: SqsConfig): Promise<number> {
  const { GetQueueAttributesCommand, GetQueueUrlCommand } = await sqsSdk();
  const client = await sqsClient(config, LIMITS);
  try {
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: config.queue }));
    const asked = { QueueUrl, AttributeNames: ['ApproximateNumberOfMessages' as const] };
    const { Attributes } = await client.send(new GetQueueAttributesCommand(asked));
    return Number(Attributes?.ApproximateNumberOfMessages);
  } finally {
    client.destroy();
  }
}

/** The queue of events on SQS. It is over with `stop`, with `release` and with the first request that fails. */
class SqsSource implements EventSource<SqsDelivery> {
  readonly #buffer = new Inbox<SqsDelivery>();
  /** Those who wait for a change: of the buffer, or of what is over. */
  #waiting: (() => void)[] = [];
  #open = 0;
  readonly #gone = new AbortController();
  readonly #ended = new AbortController();
  readonly #polls: Promise<void>;
  #released: Promise<void> | undefined;

  constructor(
    readonly queue: string,
    private readonly url: string,
    private readonly client: SQSClient,
    private readonly commands: Awaited<ReturnType<typeof sqsSdk>>,
    stop: AbortSignal,
    private readonly log: Pick<Log, 'debug'> | undefined,
  ) {
    // Every open poll has some listeners on it, which Node takes for a leak.
    setMaxListeners(0, this.#ended.signal);
    this.#ended.signal.addEventListener('abort', () => this.#changed(), { once: true });
    this.#polls = Promise.all(Array.from({ length: POLLS }, () => this.#poll())).then(() => {});
    const end = () => void this.#end();
    stop.addEventListener('abort', end, { signal: this.#ended.signal });
    if (stop.aborted) end();
    this.lost.addEventListener('abort', () => void this.#end().then(() => this.client.destroy()), { once: true });
  }

  get lost(): AbortSignal {
    return this.#gone.signal;
  }

  async receive({ deliveries: most, lingerMs }: BatchLimits): Promise<SqsDelivery[]> {
    for (let lingered = false; ; ) {
      if (this.lost.aborted) throw new Interrupted();
      if (this.#ended.signal.aborted) {
        await this.#end();
        return [];
      }
      const count = this.#buffer.length;
      if (count >= most || (lingered && count > 0)) break;
      if (count === 0) await this.#change();
      else await sleep(lingerMs);
      lingered = count > 0;
    }
    const taken = this.#buffer.takeBatch(most);
    this.#changed();
    return taken;
  }

  /** A message that SQS did not delete is no error: it comes again, and its key finds it. */
  async done(deliveries: readonly SqsDelivery[]): Promise<void> {
    if (this.lost.aborted) throw new Interrupted();
    try {
      await inTens(deliveries, async (Entries) => {
        const command = new this.commands.DeleteMessageBatchCommand({ QueueUrl: this.url, Entries });
        this.#tellFailed('deleted', (await this.client.send(command)).Failed);
      });
    } catch (error) {
      this.#gone.abort(error);
      throw new Interrupted();
    }
  }

  /** Ends the session: what is buffered, and what the polls still bring, is released, too. What is not comes after 60 s. */
  async release(deliveries: readonly SqsDelivery[]): Promise<void> {
    await Promise.all([this.#end(), this.#giveBack(deliveries)]);
    this.client.destroy();
  }

  /** Asks for messages as long as all that they may bring fits into the buffer. */
  async #poll(): Promise<void> {
    const { ReceiveMessageCommand } = this.commands;
    const command = new ReceiveMessageCommand({
      QueueUrl: this.url,
      MaxNumberOfMessages: AT_ONCE,
      WaitTimeSeconds: LONG_POLL_S,
      VisibilityTimeout: HIDDEN_S,
    });
    const { signal } = this.#ended;
    while (!signal.aborted) {
      if (!this.#mayAsk()) {
        await this.#change();
        continue;
      }
      this.#open += 1;
      try {
        const { Messages = [] } = await this.client.send(command, { abortSignal: signal });
        for (const { Body = '', MessageId = '', ReceiptHandle = '' } of Messages)
          this.#buffer.put({ body: Buffer.from(Body), key: `b:${MessageId}`, handle: ReceiptHandle });
      } catch (error) {
        if (!signal.aborted) this.#gone.abort(error);
      } finally {
        this.#open -= 1;
        this.#changed();
      }
    }
  }

  #mayAsk(): boolean {
    const { length, bytes, largest } = this.#buffer;
    if (length + this.#open === 0) return true;
    const coming = (this.#open + 1) * AT_ONCE;
    return length + coming <= BUFFER && bytes + coming * largest <= BUFFER_BYTES;
  }

  /** Ends the polls, then gives back what nobody has taken. Never rejects. */
  #end(): Promise<void> {
    this.#released ??= (async () => {
      this.#ended.abort();
      await this.#polls;
      await this.#giveBack(this.#buffer.takeAll());
    })();
    return this.#released;
  }

  async #giveBack(deliveries: readonly SqsDelivery[]): Promise<void> {
    try {
      await inTens(deliveries, async (ten) => {
        const Entries = ten.map((entry) => ({ ...entry, VisibilityTimeout: 0 }));
        const command = new this.commands.ChangeMessageVisibilityBatchCommand({ QueueUrl: this.url, Entries });
        this.#tellFailed('released', (await this.client.send(command)).Failed);
      });
    } catch (error) {
      this.log?.debug({ queue: this.queue, err: error }, 'messages were not released: they come again after a minute');
    }
  }

  #tellFailed(what: string, failed: readonly { Code?: string | undefined }[] = []): void {
    if (failed.length === 0) return;
    const codes = [...new Set(failed.map(({ Code }) => Code))];
    this.log?.debug(
      { queue: this.queue, messages: failed.length, codes },
      `messages were not ${what}: they come again`,
    );
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** Ten deliveries a request, eight requests under way. Rejects with the first that fails. */
async function inTens(
  deliveries: readonly SqsDelivery[],
  send: (entries: { Id: string; ReceiptHandle: string }[]) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < deliveries.length) {
      const ten = deliveries.slice(next, next + AT_ONCE);
      next += AT_ONCE;
      await send(ten.map(({ handle }, at) => ({ Id: String(at), ReceiptHandle: handle })));
    }
  };
  await Promise.all(Array.from({ length: REQUESTS }, worker));
}
