import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { buildApp } from 'fauxqs';

const LOOPBACK = '127.0.0.1';

/** A receive that takes longer has waited for a message. */
const WAITED_MS = 20;
/** Until we see that a caller has closed its connection. */
const LEFT_MS = 50;

/** Who the emulator lets in: anybody. But no request is sent without keys, and these stand for them. */
export const LOCAL_KEYS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** `port`: 0 or absent for any free one. */
interface SqsOptions {
  region: string;
  port?: number;
}

/** As much of SQS as events need, on loopback and in memory: with this process its queues are gone. */
export class SqsServer {
  /** As in SQS_ENDPOINT. */
  readonly url: string;

  private constructor(
    private readonly app: ReturnType<typeof buildApp>,
    port: number,
  ) {
    this.url = `http://${LOOPBACK}:${port}`;
  }

  /** Rejects with the code EADDRINUSE where the port is taken. */
  static async open({ region, port = 0 }: SqsOptions): Promise<SqsServer> {
    const app = buildApp({ logger: false, defaultRegion: region });
    app.addHook('onSend', async (request, reply, answer) => {
      if (request.headers['x-amz-target'] !== 'AmazonSQS.ReceiveMessage') return answer;
      // A caller that leaves and then releases: that it has left may be seen after the release that wakes its poll.
      if (reply.elapsedTime > WAITED_MS) await pause(LEFT_MS);
      if (request.raw.socket.destroyed) await giveBack(app, request.body, String(answer));
      return answer;
    });
    await app.listen({ host: LOOPBACK, port });
    return new SqsServer(app, (app.server.address() as AddressInfo).port);
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}

/**
 * The emulator goes on with a long poll whose caller has left, and hands it messages. Without this they would be hidden until
 * their visibility timeout: those that a stopping consumer has just released, too.
 */
async function giveBack(app: ReturnType<typeof buildApp>, asked: unknown, answer: string): Promise<void> {
  const { Messages = [] } = JSON.parse(answer) as { Messages?: { ReceiptHandle: string }[] };
  if (Messages.length === 0) return;
  const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle, VisibilityTimeout: 0 }));
  await app.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.ChangeMessageVisibilityBatch' },
    payload: JSON.stringify({ QueueUrl: (asked as { QueueUrl: string }).QueueUrl, Entries }),
  });
}
