import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import {
  GetQueueAttributesCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { openQueues } from '../services/sqs/open.js';
import { LOCAL_KEYS, type SqsServer } from '../services/sqs/server.js';

const REGION = 'sa-east-1';
const AT_ONCE = 10;

/** Where answers of SQS are lost. */
interface LosingEndpoint {
  /** As in SQS_ENDPOINT. */
  url: string;
  /** Messages that were taken without an answer. */
  lost(): number;
  close(): Promise<void>;
}

/** An emulator of SQS in this process with one queue, for a test. */
export class OwnSqs {
  /** What an app needs to take from the queue, as SqsConfig has it. */
  readonly config: { queue: string; endpoint: string; region: string; credentials: typeof LOCAL_KEYS };

  private constructor(
    private readonly server: SqsServer,
    readonly client: SQSClient,
    readonly queue: { name: string; url: string; arn: string },
  ) {
    this.config = { queue: queue.name, endpoint: server.url, region: REGION, credentials: LOCAL_KEYS };
  }

  static async open(name = 'events'): Promise<OwnSqs> {
    const resources = { Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: name } } };
    const { server, client, queues } = await openQueues({ region: REGION, port: 0, resources });
    const queue = queues.get('Queue') ?? { name, url: '', arn: '' };
    return new OwnSqs(server, client, queue);
  }

  /** The same as the environment of a process. */
  get env(): Record<string, string> {
    return {
      EVENTS_SQS_QUEUE: this.config.queue,
      SQS_ENDPOINT: this.config.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: LOCAL_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: LOCAL_KEYS.secretAccessKey,
    };
  }

  /** Returns the ids that the queue gave. */
  async send(bodies: readonly string[]): Promise<string[]> {
    const ids: string[] = [];
    for (let at = 0; at < bodies.length; at += AT_ONCE) {
      const ten = bodies.slice(at, at + AT_ONCE);
      const Entries = ten.map((MessageBody, id) => ({ Id: String(id), MessageBody }));
      const command = new SendMessageBatchCommand({ QueueUrl: this.queue.url, Entries });
      const { Successful = [] } = await this.client.send(command);
      ids.push(...Successful.map(({ MessageId = '' }) => MessageId));
    }
    return ids;
  }

  /** How many may be received, and how many somebody has received and not deleted. */
  async counts(): Promise<{ ready: number; hidden: number }> {
    const command = new GetQueueAttributesCommand({ QueueUrl: this.queue.url, AttributeNames: ['All'] });
    const { Attributes = {} } = await this.client.send(command);
    const of = (name: QueueAttributeName) => Number(Attributes[name]);
    return { ready: of('ApproximateNumberOfMessages'), hidden: of('ApproximateNumberOfMessagesNotVisible') };
  }

  /** Receives all that are ready, and returns their bodies. */
  async drain(): Promise<string[]> {
    const bodies: string[] = [];
    for (;;) {
      const command = new ReceiveMessageCommand({ QueueUrl: this.queue.url, MaxNumberOfMessages: AT_ONCE });
      const { Messages = [] } = await this.client.send(command);
      if (Messages.length === 0) return bodies;
      bodies.push(...Messages.map(({ Body = '' }) => Body));
    }
  }

  /** An endpoint in front of it: of the first calls that send messages the answers are lost, though the messages are taken. */
  async losingAnswers(calls: number): Promise<LosingEndpoint> {
    let [left, lost] = [calls, 0];
    const server = createServer(async (request, response) => {
      const body = await buffer(request);
      const { 'x-amz-target': target = '', 'content-type': type = '' } = request.headers;
      const headers = { 'x-amz-target': String(target), 'content-type': type };
      const answer = await fetch(this.config.endpoint, { method: 'POST', headers, body: new Uint8Array(body) });
      if (!headers['x-amz-target'].endsWith('SendMessageBatch') || left === 0) {
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
        response.end(await answer.text());
        return;
      }
      left -= 1;
      lost += (JSON.parse(body.toString()) as { Entries: unknown[] }).Entries.length;
      request.socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const close = async () => {
      server.close();
      server.closeAllConnections();
    };
    return { url: `http://127.0.0.1:${port}`, lost: () => lost, close };
  }

  async close(): Promise<void> {
    this.client.destroy();
    await this.server.close();
  }
}
