import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../services/ports.js';
import { localClient } from '../../../services/sqs/open.js';
import { type RunningSqs, runningSqs } from '../../../services/sqs/running.js';
import { Process, ROOT } from '../../../testing/process.js';
import { until } from '../../../testing/until.js';

const PATIENCE_MS = 120_000;
const SERVERLESS = join(ROOT, 'node_modules/serverless/bin/serverless.js');

/** Fails at the first call, by an error at the second, then reports each odd record once; says what it was given. */
const HANDLER = `
let calls = 0;
const seen = new Set();
export const handler = async ({ Records }) => {
  calls += 1;
  console.log('given ' + JSON.stringify(Records.map(({ body }) => Number(body))));
  if (calls === 1) throw new Error('it failed');
  if (calls === 2) return 'odd';
  const failed = Records.filter(({ body }) => Number(body) % 2 === 1 && !seen.has(body));
  for (const { body } of failed) seen.add(body);
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
};
`;
const service = (ports: { http: number; lambda: number }) => ({
  service: 'sqs-test',
  provider: { name: 'aws', runtime: 'nodejs24.x', region: 'sa-east-1', stage: 'local' },
  plugins: ['serverless-offline', './services/sqs/index.mjs'],
  custom: {
    'serverless-offline': { httpPort: ports.http, lambdaPort: ports.lambda, useInProcess: true, noSponsor: true },
  },
  functions: {
    events: {
      handler: 'handler.handler',
      timeout: 60,
      events: [
        {
          sqs: {
            arn: { 'Fn::GetAtt': ['EventsQueue', 'Arn'] },
            batchSize: 500,
            maximumBatchingWindow: 1,
            functionResponseType: 'ReportBatchItemFailures',
            maximumConcurrency: 2,
          },
        },
      ],
    },
  },
  resources: {
    Resources: {
      EventsQueue: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          QueueName: 'some-events',
          VisibilityTimeout: 360,
          RedrivePolicy: {
            deadLetterTargetArn: { 'Fn::GetAtt': ['EventsDeadQueue', 'Arn'] },
            maxReceiveCount: 1_000,
          },
        },
      },
      EventsDeadQueue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'some-events-dead' } },
    },
  },
});

let folder: string;
let offline: Process;

beforeAll(async () => {
  mkdirSync(join(ROOT, '.local'), { recursive: true });
  // Inside the clone, whose packages and plugin it uses.
  folder = mkdtempSync(join(ROOT, '.local', 'sqs-test-'));
  mkdirSync(join(folder, 'services', 'sqs'), { recursive: true });
  const plugin = join(ROOT, 'services/sqs/index.mjs');
  writeFileSync(join(folder, 'services/sqs/index.mjs'), `export { default } from ${JSON.stringify(plugin)};\n`);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'handler.js'), HANDLER);
  const ports = { http: await freePort(), lambda: await freePort() };
  writeFileSync(join(folder, 'serverless.json'), JSON.stringify(service(ports)));
  const unset = { SQS_ENDPOINT: '', SQS_PORT: '', EVENTS_SQS_QUEUE: '', AWS_REGION: '' };
  const env = { ...process.env, ...unset, SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off' };
  const command = [process.execPath, SERVERLESS, 'offline', 'start'] as const;
  offline = new Process('serverless offline', command, { env, cwd: folder });
}, PATIENCE_MS);

afterAll(async () => {
  await offline?.stop();
  rmSync(folder, { recursive: true });
});

/** The emulator as another command finds it. */
const found = () =>
  until(
    async () => {
      offline.throwIfEnded();
      const running = await runningSqs(folder);
      if (!running) throw new Error(offline.everything);
      return running;
    },
    { withinMs: PATIENCE_MS },
  );

async function counts(client: SQSClient, { queue }: RunningSqs): Promise<(string | undefined)[]> {
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: queue }));
  const { Attributes = {} } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  return [Attributes.ApproximateNumberOfMessages, Attributes.ApproximateNumberOfMessagesNotVisible];
}

test('what a function reports as failed, or fails itself, comes again; the rest is gone', {
  timeout: PATIENCE_MS,
}, async () => {
  const running = await found();
  expect(running).toEqual({ endpoint: expect.any(String), queue: 'some-events', region: 'sa-east-1' });
  const client = localClient(running);
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: running.queue }));
  const Entries = Array.from({ length: 10 }, (_, at) => ({ Id: String(at), MessageBody: String(at) }));
  await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  await until(async () => expect(await counts(client, running)).toEqual(['0', '0']), { withinMs: PATIENCE_MS });
  client.destroy();
  const given = offline.output.flatMap((line) => {
    const [, list] = /given (\[.*\])/.exec(line) ?? [];
    return list ? (JSON.parse(list) as number[]) : [];
  });
  const times = (number: number) => given.filter((each) => each === number).length;
  for (let number = 0; number < 10; number++) expect(times(number)).toBeGreaterThanOrEqual(1 + (number % 2));
  expect(given.length).toBeGreaterThan(15);
  expect(offline.everything).toMatch(/come again: it answered .*it failed/);
  expect(offline.everything).toMatch(/come again: it answered "odd"/);
});

test('the note of an emulator goes with its process', { timeout: PATIENCE_MS }, async () => {
  await found();
  await offline.stop();
  expect(await runningSqs(folder)).toBe(undefined);
});
