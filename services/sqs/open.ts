import { SQSClient } from '@aws-sdk/client-sqs';
import { CommandError } from '../command-error.js';
import { type MadeQueue, makeQueues, type Resources } from './queues.js';
import { LOCAL_KEYS, SqsServer } from './server.js';

/** An emulator with its queues, and a client of it. */
interface OpenQueues {
  server: SqsServer;
  client: SQSClient;
  queues: Map<string, MadeQueue>;
}

/** A client of an emulator. */
export function localClient({ endpoint, region }: { endpoint: string; region: string }): SQSClient {
  // At its first client the SDK warns on standard error about Node 20, which our `engines` allow. What we need works there.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  return new SQSClient({ region, endpoint, credentials: LOCAL_KEYS });
}

/** Starts the emulator and makes the queues of a template. Throws CommandError where the port is taken. */
export async function openQueues(options: { region: string; port: number; resources: Resources }): Promise<OpenQueues> {
  const { region, port, resources } = options;
  const server = await SqsServer.open({ region, port }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? new CommandError(`SQS_PORT: ${port} is in use`) : error;
  });
  const client = localClient({ region, endpoint: server.url });
  try {
    return { server, client, queues: await makeQueues(client, resources) };
  } catch (error) {
    client.destroy();
    await server.close();
    throw error;
  }
}
