import { readFileSync } from 'node:fs';
import { integerKey, readEnvironment, textKey } from '@disparo/contract';
import { load } from 'js-yaml';
import { CommandError } from '../../services/command-error.js';
import { freePort } from '../../services/ports.js';
import { openQueues } from '../../services/sqs/open.js';
import type { Resources } from '../../services/sqs/queues.js';
import { announceSqs, type RunningSqs } from '../../services/sqs/running.js';
import { LOCAL_KEYS } from '../../services/sqs/server.js';
import { Interrupted, Supervisor } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** How serverless.yml names the queue, and what it is called without EVENTS_SQS_QUEUE. */
const NAMED = '$' + '{self:custom.eventsQueue}';
const QUEUE = 'disparo-events';

/**
 * `npm run sqs`: the emulator of SQS alone, with the queues of serverless.yml, until Ctrl-C. Prints the lines for `.env`.
 * Returns the exit code.
 */
export default async function sqs(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run sqs');
  const environment: Record<string, string> = { EVENTS_SQS_QUEUE: QUEUE, ...readEnvironment() };
  const port = environment.SQS_PORT === undefined ? await freePort() : integerKey(environment, 'SQS_PORT');
  const [queue, region] = [textKey(environment, 'EVENTS_SQS_QUEUE'), textKey(environment, 'AWS_REGION')];
  const supervisor = new Supervisor();
  const { server, client } = await openQueues({ region, port, resources: resourcesFor(queue) });
  try {
    announceSqs({ endpoint: server.url, queue, region });
    say(lines({ endpoint: server.url, queue, region }, environment));
    return await supervisor.during(new Promise<never>(() => {}));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return error.exitCode;
  } finally {
    client.destroy();
    await server.close();
    await supervisor.stop();
  }
}

function resourcesFor(queue: string): Resources {
  const template = readFileSync('serverless.yml', 'utf8').replaceAll(NAMED, queue);
  return (load(template) as { resources: { Resources: Resources } }).resources.Resources;
}

function lines({ endpoint, queue, region }: RunningSqs, environment: Record<string, string>): string {
  return [
    '# SQS on this machine, in memory, until Ctrl-C. For .env:',
    `EVENTS_SQS_QUEUE=${queue}`,
    `SQS_ENDPOINT=${endpoint}`,
    '# the same port the next time',
    `SQS_PORT=${new URL(endpoint).port}`,
    `AWS_REGION=${region}`,
    // Any keys will do; those of a bucket stay.
    ...(environment.AWS_ACCESS_KEY_ID === undefined
      ? [`AWS_ACCESS_KEY_ID=${LOCAL_KEYS.accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${LOCAL_KEYS.secretAccessKey}`]
      : []),
  ].join('\n');
}
