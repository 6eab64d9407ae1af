import type { SQSClient } from '@aws-sdk/client-sqs';
import { backoffMs, ConfigurationError, pause, type Says, Service, untilUp } from '@disparo/contract';
import { sqsClient, sqsSdk } from '../../../functions/events/intake/sqs-client.js';
import { refusedBySqs } from '../../../functions/events/intake/sqs-refusal.js';
import type { SqsConfig } from '../../../functions/platform/config.js';
import { CommandError } from '../../../services/command-error.js';
import { runningSqs } from '../../../services/sqs/running.js';
import { LOCAL_KEYS } from '../../../services/sqs/server.js';
import type { Outlet } from './publish.js';
import type { Message } from './stream.js';
import type { Tally } from './tally.js';

const NEVER = new AbortController().signal;
const TIMEOUTS = { connectionTimeout: 5_000, requestTimeout: 30_000 };

/** The queue of `.env` where it names an endpoint, else that of a running emulator, else that of AWS. Throws CommandError. */
export async function sqsQueue(configured: SqsConfig | undefined): Promise<SqsConfig> {
  if (configured?.endpoint !== undefined) return configured;
  const running = await runningSqs();
  if (running !== undefined) return { ...running, credentials: LOCAL_KEYS };
  if (configured !== undefined) return configured;
  throw new CommandError(
    '--sqs: no emulator of SQS runs, and no queue is named: npm start or npm run sqs in another terminal, or EVENTS_SQS_QUEUE in .env',
  );
}

/** The queue of events on SQS: ten messages a request. */
export class SqsOutlet implements Outlet {
  readonly batch = 10;
  readonly window = 8;

  private constructor(
    private readonly client: SQSClient,
    private readonly sdk: typeof import('@aws-sdk/client-sqs'),
    private readonly url: string,
    private readonly service: Service,
    private readonly tally: Tally,
  ) {}

  /** Waits for SQS. Throws ConfigurationError where it refuses us. */
  static async open(config: SqsConfig, tally: Tally, says: Says): Promise<SqsOutlet> {
    const loaded = await sqsSdk();
    const { queue, endpoint } = config;
    // A request that is sent twice by the SDK leaves a message whose id nobody has seen.
    const client = await sqsClient(config, { maxAttempts: 1, requestHandler: TIMEOUTS });
    const service = new Service('SQS', 'SQS_ENDPOINT', endpoint ?? '', says);
    const found = await untilUp(NEVER, service, () =>
      client.send(new loaded.GetQueueUrlCommand({ QueueName: queue })).catch((error: unknown) => {
        const refused = refusedBySqs(error, queue);
        if (refused === undefined) throw error;
        return new ConfigurationError(refused.variable, refused.problem);
      }),
    );
    if (found instanceof ConfigurationError) throw found;
    return new SqsOutlet(client, loaded, found.QueueUrl ?? '', service, tally);
  }

  /** What SQS does not take of a batch is sent again. */
  async send(messages: readonly Message[]): Promise<void> {
    for (let left = messages, failures = 0; left.length > 0; failures++) {
      if (failures > 0) await pause(NEVER, backoffMs(failures));
      const ids = await untilUp(NEVER, this.service, () => this.#sendBatch(left));
      for (const [at, message] of left.entries())
        if (ids.has(String(at))) this.tally.confirm(message, `b:${ids.get(String(at))}`);
      left = left.filter((_, at) => !ids.has(String(at)));
    }
  }

  /** Those that somebody has received and not deleted, too. SQS says itself that the numbers are approximate. */
  async waiting(): Promise<number> {
    const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const command = new this.sdk.GetQueueAttributesCommand({ QueueUrl: this.url, AttributeNames: [...AttributeNames] });
    const { Attributes = {} } = await untilUp(NEVER, this.service, () => this.client.send(command));
    return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
  }

  async close(): Promise<void> {
    this.client.destroy();
  }

  /** The MessageId of each one that was taken, by its place. */
  async #sendBatch(messages: readonly Message[]): Promise<Map<string, string>> {
    const Entries = messages.map(({ body }, at) => ({ Id: String(at), MessageBody: body.toString() }));
    const command = new this.sdk.SendMessageBatchCommand({ QueueUrl: this.url, Entries });
    const { Successful = [] } = await this.client.send(command);
    return new Map(Successful.map(({ Id = '', MessageId = '' }) => [Id, MessageId]));
  }
}
