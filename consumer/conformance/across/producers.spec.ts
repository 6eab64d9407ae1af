import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declareEvents, eventsQueue } from '@disparo/contract';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { GetMessage } from 'amqplib';
import { beforeAll, expect } from 'vitest';
import { OwnSqs } from '../../../testing/own-sqs.js';
import { Process, ROOT } from '../../../testing/process.js';
import { TcpProxy } from '../../../testing/proxy.js';
import type { Stage, StageOptions } from '../../../testing/stage.js';
import { until, untilAtLeast } from '../../../testing/until.js';
import { prove, type Scope } from '../runner/cases.js';

const GO = join(ROOT, 'consumer/go');
const PRODUCERS = join(GO, 'bin/producers');
const BAD = "Hello, I'm a bad message";
const NOTHING = { published: 0, distinct: 0, bad: 0, duplicates: 0 };
const BUILD_MS = 300_000;

/** What a run of producers says at its end, and what is counted on a queue. */
type Summary = Record<'published' | 'distinct' | 'bad' | 'duplicates', number>;

const isEvent = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile<{ id: string }>(
  JSON.parse(readFileSync(join(ROOT, 'consumer/contract/event.v1.schema.json'), 'utf8')),
);

// Only these cases need it, and the SDK of AWS takes its time to be compiled.
beforeAll(() => {
  execFileSync('go', ['build', '-o', PRODUCERS, './cmd/producers'], { cwd: GO, stdio: 'inherit' });
}, BUILD_MS);

prove('the producers in Go', [
  {
    name: 'all that they say was published is on the queue, and every good one is an event by the contract',
    why: 'Whoever compares the tables with that line would look for a loss that never was, or not see one.',
    async run(scope) {
      const stage = await stageOf(scope);
      await declareEvents(stage.channel, stage.env.QUEUE_PREFIX);
      const producers = start(stage, ['--count', '3000', '--rate', '50000', '--bad', '0.11', '--duplicate', '0.05']);
      const summary = await summaryOf(producers);
      const messages = await taken(stage);
      expect(counted(bodiesOf(messages))).toEqual(summary);
      expect(summary).toMatchObject({ published: 3_000 });
      for (const kind of ['distinct', 'bad', 'duplicates'] as const) expect(summary[kind]).toBeGreaterThan(50);
      for (const message of good(bodiesOf(messages)))
        expect([isEvent(JSON.parse(message)), isEvent.errors]).toEqual([true, null]);
      expect(new Set(messages.map(({ properties }) => properties.messageId)).size).toBe(3_000);
      for (const { properties } of messages) expect(properties).toMatchObject({ deliveryMode: 2 });
      await declareEvents(stage.channel, stage.env.QUEUE_PREFIX);
    },
  },
  {
    name: 'a signal ends them with 0 when all is confirmed, also while the broker was never there',
    why: 'Who stops them would have to count by hand, or would wait for a broker that does not come.',
    async run(scope) {
      const stage = await stageOf(scope);
      const producers = start(stage, ['user-app', '--rate', '2000']);
      await until(async () => expect(await ready(stage)).toBeGreaterThan(200));
      producers.signal('SIGINT');
      const summary = await summaryOf(producers);
      expect(counted(bodiesOf(await taken(stage)))).toEqual(summary);
      const { url } = await TcpProxy.to(stage.env.RABBITMQ_URL, 5672);
      const waiting = start(stage, [], { RABBITMQ_URL: url });
      await until(() => expect(waiting.errors).toContain('waiting for RabbitMQ'));
      waiting.signal('SIGTERM');
      expect(await summaryOf(waiting)).toEqual(NOTHING);
    },
  },
  {
    name: 'a second signal ends them with 75, and the line has only what was confirmed',
    why: 'A broker that says nothing would hold up the end for ever, or what it never got would count.',
    async run(scope) {
      const stage = await stageOf(scope);
      const proxy = scope.cleaned(await TcpProxy.openTo(stage.env.RABBITMQ_URL, 5672));
      const producers = start(stage, ['--rate', '2000'], { RABBITMQ_URL: proxy.url });
      await untilAtLeast(200, () => ready(stage));
      proxy.hold();
      await until(() => expect(proxy.swallowed).toBeGreaterThan(0));
      producers.signal('SIGTERM');
      producers.signal('SIGINT');
      expect(await producers.exit(), producers.everything).toBe(75);
      const [summary, ...more] = producers.lines as unknown as Summary[];
      expect(more).toEqual([]);
      expect(summary?.published).toBeGreaterThan(0);
      expect(summary?.published).toBeLessThanOrEqual(await ready(stage));
    },
  },
  {
    name: 'a connection that is cut again and again loses no event, and none counts twice',
    why: 'A network that flickers would leave events that nobody has, under a line that says they are there.',
    async run(scope) {
      const stage = await stageOf(scope);
      const proxy = scope.cleaned(await TcpProxy.openTo(stage.env.RABBITMQ_URL, 5672));
      const producers = start(stage, ['--count', '4000', '--rate', '3000', '--bad', '0.1'], {
        RABBITMQ_URL: proxy.url,
      });
      for (const reached of [500, 1_000, 1_500, 2_000]) {
        await untilAtLeast(reached, () => ready(stage));
        proxy.cut();
      }
      const summary = await summaryOf(producers);
      expect(producers.errors).toContain('lost the connection to RabbitMQ');
      expect(summary).toMatchObject({ published: 4_000, duplicates: 0 });
      // What was taken and not confirmed in time is there twice, under one id.
      const once = new Map((await taken(stage)).map((message) => [message.properties.messageId, message]));
      expect(counted(bodiesOf([...once.values()]))).toEqual(summary);
    },
  },
  {
    name: 'a full queue and a broker that is killed are waited for, and nothing is lost',
    why: 'A plan with 10,000 queued messages is full within seconds, and what it refuses would count as published.',
    async run(scope) {
      const broker = await scope.own('rabbitmq');
      const stage = await stageOf(scope, { services: broker.services });
      await broker.control('set_policy', 'full', '[.]events$', '{"max-length":300}', '--apply-to', 'queues');
      const producers = start(stage, ['--count', '1000', '--rate', '5000', '--bad', '0.1']);
      await until(() => expect(producers.errors).toContain('RabbitMQ refuses events'));
      // So many that they go on, and so few that they are not through when the broker dies.
      const held = await taken(stage, 200);
      await broker.kill();
      await until(() => expect(producers.errors).toContain('waiting for RabbitMQ'));
      await broker.start();
      await stage.reconnect();
      await broker.control('clear_policy', 'full');
      const summary = await summaryOf(producers);
      const once = new Map(
        [...held, ...(await taken(stage))].map((message) => [message.properties.messageId, message]),
      );
      expect(counted(bodiesOf([...once.values()]))).toEqual(summary);
      expect(summary).toMatchObject({ published: 1_000, duplicates: 0 });
    },
  },
  {
    name: 'a queue that is deleted is declared again, and what no queue took is published again',
    why: 'The broker confirms what it then drops: it would count as published, and be nowhere.',
    async run(scope) {
      const stage = await stageOf(scope);
      const producers = start(stage, ['--count', '2000', '--rate', '2000']);
      await untilAtLeast(500, () => ready(stage));
      await stage.channel.deleteQueue(eventsQueue(stage.env.QUEUE_PREFIX));
      expect(await summaryOf(producers)).toMatchObject({ published: 2_000, distinct: 2_000 });
      const numbers = (await taken(stage)).map(({ properties }) => Number(properties.messageId.split('-')[1]));
      const first = Math.min(...numbers);
      expect(first).toBeGreaterThan(500);
      expect([...new Set(numbers)].sort((one, other) => one - other)).toEqual(
        Array.from({ length: 2_001 - first }, (_, index) => first + index),
      );
    },
  },
  {
    name: 'to SQS all that they say was published is on the queue, also what it took without an answer',
    why: 'An answer that is lost would count as a loss, or an event as one more of those that are compared.',
    async run(scope) {
      const stage = await stageOf(scope);
      const sqs = scope.cleaned(await OwnSqs.open());
      const args = ['--sqs', '--count', '400', '--rate', '5000', '--bad', '0.11', '--duplicate', '0.05'];
      const summary = await summaryOf(start(stage, args, sqs.env));
      const bodies = await sqs.drain();
      expect(counted(bodies)).toEqual(summary);
      for (const body of good(bodies)) expect([isEvent(JSON.parse(body)), isEvent.errors]).toEqual([true, null]);

      const losing = scope.cleaned(await sqs.losingAnswers(3));
      const again = await summaryOf(start(stage, args, { ...sqs.env, SQS_ENDPOINT: losing.url }));
      expect(again).toMatchObject({ published: 400 });
      const { published, distinct } = counted(await sqs.drain());
      expect(losing.lost()).toBeGreaterThan(0);
      expect([published, distinct]).toEqual([400 + losing.lost(), again.distinct]);
    },
  },
  {
    name: 'a wrong word, a missing URL and a queue of another type end the start with 78 and one line',
    why: 'A typing mistake would look like a broker that is away, and be waited for.',
    async run(scope) {
      const stage = await stageOf(scope);
      await declareEvents(stage.channel, stage.env.QUEUE_PREFIX, 'classic');
      for (const [args, env, says] of [
        [['order-app'], {}, /^producers: there is no type "order-app"; .*\n$/],
        [['--bad', '2'], {}, /^-bad: must be from 0 to 1, not 2\n$/],
        [[], { RABBITMQ_URL: '' }, /^RABBITMQ_URL: is not set; .*\n$/],
        [['--sqs'], {}, /^EVENTS_SQS_QUEUE: is not set; .*\n$/],
        [[], { QUEUE_TYPE: 'quorum', LOG_LEVEL: 'error' }, /^RABBITMQ_URL: a queue or exchange exists .*\n$/],
      ] as const) {
        const producers = start(stage, args, env);
        expect([await producers.exit(), producers.lines]).toEqual([78, []]);
        expect(producers.errors).toMatch(says);
      }
    },
  },
]);

/** A stage without a queue of events; the one that is made is removed with it. */
async function stageOf(scope: Scope, options: StageOptions = {}): Promise<Stage> {
  const stage = await scope.stage({ ...options, migrated: false });
  const queue = eventsQueue(stage.env.QUEUE_PREFIX);
  scope.cleaned({
    async close() {
      await stage.channel.deleteQueue(queue);
      await stage.channel.deleteExchange(queue);
    },
  });
  return stage;
}

function start(stage: Stage, args: readonly string[], env: Record<string, string> = {}): Process {
  return stage.with(new Process('producers-go', [PRODUCERS, ...args], { env: { ...stage.env, ...env } }));
}

/** The one line of standard output, after an end with 0. */
async function summaryOf(producers: Process): Promise<Summary> {
  expect(await producers.exit(), producers.everything).toBe(0);
  const [summary, ...more] = producers.lines as unknown[];
  expect(more).toEqual([]);
  return summary as Summary;
}

async function ready(stage: Stage): Promise<number> {
  // Asked on a queue that may not be there yet, the broker closes the channel.
  await declareEvents(stage.channel, stage.env.QUEUE_PREFIX);
  return stage.ready(eventsQueue(stage.env.QUEUE_PREFIX));
}

/** Takes what is on the queue, all by default. */
async function taken(stage: Stage, most = Number.POSITIVE_INFINITY): Promise<GetMessage[]> {
  const messages: GetMessage[] = [];
  while (messages.length < most) {
    const message = await stage.channel.get(eventsQueue(stage.env.QUEUE_PREFIX), { noAck: true });
    if (!message) break;
    messages.push(message);
  }
  return messages;
}

function bodiesOf(messages: readonly GetMessage[]): string[] {
  return messages.map(({ content }) => content.toString());
}

function good(bodies: readonly string[]): string[] {
  return bodies.filter((text) => text !== BAD);
}

function counted(bodies: readonly string[]): Summary {
  const events = good(bodies);
  const distinct = new Set(events.map((text) => (JSON.parse(text) as { id: string }).id)).size;
  return {
    published: bodies.length,
    distinct,
    bad: bodies.length - events.length,
    duplicates: events.length - distinct,
  };
}
