import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../services/ports.js';
import { OwnService } from '../../../testing/own-service.js';
import { OwnSqs } from '../../../testing/own-sqs.js';
import type { Process } from '../../../testing/process.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { until } from '../../../testing/until.js';
import { EventsStage, envelope } from './fixtures.js';

const POSTGRES_PORT = 5432;
const RABBITMQ_PORT = 5672;
const SLOW_MS = 120_000;

let stage: EventsStage;

beforeEach(async () => {
  stage = await EventsStage.open();
});
afterEach(() => stage.close());

/** Events, of which each tenth is no JSON: that many of each, with ids of broker and producer. */
async function publishMixed(count: number, first = 0): Promise<{ events: number; quarantine: number }> {
  let bad = 0;
  for (let n = first; n < first + count; n++) {
    const isBad = n % 10 === 3;
    if (isBad) bad += 1;
    const body = isBad ? `bad ${n}` : JSON.stringify(envelope({ id: `e${n}`, message: { user: n } }));
    stage.stores.channel.publish(stage.queue, stage.queue, Buffer.from(body), { persistent: true, messageId: `m${n}` });
    if (n % 500 === 499) await stage.stores.channel.waitForConfirms();
  }
  await stage.stores.channel.waitForConfirms();
  return { events: count - bad, quarantine: bad };
}

/** Waits until all are rows, and checks that they are the ones that were published, each once. */
async function expectAll(wanted: { events: number; quarantine: number }): Promise<void> {
  await stage.untilCounts(wanted.events, wanted.quarantine, SLOW_MS);
  await stage.untilDrained();
  expect(await stage.counts()).toEqual(wanted);
  const [distinct] = await stage.sql(
    `SELECT (SELECT count(DISTINCT message)::int FROM events) AS events,
            (SELECT count(DISTINCT body)::int FROM event_quarantine) AS quarantine`,
  );
  expect(distinct).toEqual(wanted);
}

const through = (proxy: TcpProxy, variable: string) => ({ [variable]: proxy.url });

async function health(port: number): Promise<Record<string, string>> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  return { code: String(answer.status), ...((await answer.json()) as Record<string, string>) };
}

const untilHealth = (port: number, wanted: Record<string, string>) =>
  until(async () => expect(await health(port)).toMatchObject(wanted));

const says = (process: Process, text: string) =>
  until(() => {
    if (!process.everything.includes(text)) throw new Error(process.everything);
  });

test(
  'ten SIGKILLs of one of three processors lose nothing and store nothing twice',
  async () => {
    const processors = [stage.processor(), stage.processor(), stage.processor()];
    const wanted = { events: 0, quarantine: 0 };
    for (let round = 0; round < 10; round++) {
      const { events, quarantine } = await publishMixed(2_000, round * 2_000);
      wanted.events += events;
      wanted.quarantine += quarantine;
      // In the middle of its work: something is stored, something is not.
      await stage.untilCounts(Math.max(1, wanted.events - 1_500), 0, SLOW_MS);
      await processors[round % 3]?.kill();
      processors[round % 3] = stage.processor();
    }
    await expectAll(wanted);
  },
  SLOW_MS * 2,
);

test(
  'while PostgreSQL is away nothing is acknowledged, and all of it is stored when it is back',
  async () => {
    const proxy = await TcpProxy.openTo(stage.stores.env.DATABASE_URL, POSTGRES_PORT);
    const port = await freePort();
    const processor = stage.processor({ ...through(proxy, 'DATABASE_URL'), METRICS_PORT: String(port) });
    const first = await publishMixed(100);
    await stage.untilCounts(first.events, first.quarantine);
    await untilHealth(port, { code: '200', status: 'up', postgresql: 'up', rabbitmq: 'up' });
    await proxy.close();
    const second = await publishMixed(2_000, 1_000);
    await untilHealth(port, { code: '503', status: 'down', postgresql: 'down', rabbitmq: 'up' });
    await says(processor, 'waiting for PostgreSQL');
    expect(await stage.counts()).toEqual(first);
    await proxy.open();
    await expectAll({ events: first.events + second.events, quarantine: first.quarantine + second.quarantine });
    await says(processor, 'PostgreSQL is back');
    await untilHealth(port, { code: '200', status: 'up' });
    expect(processor.output.filter((line) => line.includes('waiting for PostgreSQL'))).toHaveLength(1);
    await proxy.close();
  },
  SLOW_MS,
);

describe('connections to PostgreSQL that die without a word, under load', () => {
  let postgres: TcpProxy;
  beforeEach(async () => {
    postgres = await TcpProxy.openTo(stage.stores.env.DATABASE_URL, POSTGRES_PORT);
  });
  afterEach(() => postgres.close());

  test(
    'are given up on, and all of it is stored once on others',
    async () => {
      const port = await freePort();
      stage.processor({ ...through(postgres, 'DATABASE_URL'), METRICS_PORT: String(port) });
      const first = await publishMixed(100);
      await stage.untilCounts(first.events, first.quarantine);
      await untilHealth(port, { code: '200', postgresql: 'up' });
      postgres.silence();
      const second = await publishMixed(3_000, 1_000);
      await untilHealth(port, { code: '503', postgresql: 'down', rabbitmq: 'up' });
      await expectAll({ events: first.events + second.events, quarantine: first.quarantine + second.quarantine });
      await untilHealth(port, { code: '200', postgresql: 'up' });
    },
    SLOW_MS,
  );

  test(
    'do not keep a processor that is told to stop from finishing its batch',
    async () => {
      const processor = stage.processor({ ...through(postgres, 'DATABASE_URL'), EVENTS_PREFETCH: '100' });
      const first = await publishMixed(1);
      await stage.untilCounts(first.events, 0);
      postgres.silence();
      const before = postgres.received;
      const second = await publishMixed(500, 1_000);
      await until(async () => expect(await stage.stores.ready(stage.queue)).toBe(400));
      // A batch has begun: what is only ready when the signal comes is given back.
      await until(() => expect(postgres.received).toBeGreaterThan(before));
      processor.signal('SIGTERM');
      expect(await processor.exit()).toBe(0);
      await until(async () => {
        const { events, quarantine } = await stage.counts();
        expect([events + quarantine > 1, await stage.stores.ready(stage.queue)]).toEqual([
          true,
          501 - events - quarantine,
        ]);
      });
      stage.processor();
      await expectAll({ events: first.events + second.events, quarantine: second.quarantine });
    },
    SLOW_MS,
  );

  test(
    'do not keep a lost session from being followed by another',
    async () => {
      const rabbitmq = await TcpProxy.openTo(stage.stores.env.RABBITMQ_URL, RABBITMQ_PORT);
      const processor = stage.processor({
        ...through(postgres, 'DATABASE_URL'),
        ...through(rabbitmq, 'RABBITMQ_URL'),
      });
      await stage.publish(envelope());
      await stage.untilCounts(1, 0);
      postgres.hold();
      await stage.publish(envelope({ message: { user: 8 } }));
      await until(() => expect(postgres.swallowed).toBeGreaterThan(0));
      rabbitmq.cut();
      await until(() => expect(processor.output.filter((line) => line.includes('receiving events'))).toHaveLength(2));
      expect(processor.everything).not.toContain('waiting for PostgreSQL');
      await postgres.open();
      await expectAll({ events: 2, quarantine: 0 });
      await rabbitmq.close();
    },
    SLOW_MS,
  );
});

test(
  'a connection to the broker that breaks under load loses nothing, and nothing is acknowledged on a newer one',
  async () => {
    const proxy = await TcpProxy.openTo(stage.stores.env.RABBITMQ_URL, RABBITMQ_PORT);
    const processor = stage.processor({ ...through(proxy, 'RABBITMQ_URL'), EVENTS_PREFETCH: '50' });
    const wanted = { events: 0, quarantine: 0 };
    for (let round = 0; round < 5; round++) {
      const { events, quarantine } = await publishMixed(1_000, round * 1_000);
      wanted.events += events;
      wanted.quarantine += quarantine;
      await stage.untilCounts(wanted.events - 800, 0, SLOW_MS);
      proxy.cut();
    }
    await expectAll(wanted);
    expect(processor.everything).toContain('lost the connection to RabbitMQ');
    expect(processor.everything).not.toContain('a bug');
    await proxy.close();
  },
  SLOW_MS,
);

test(
  'a broker that is killed and started again loses nothing that it confirmed',
  async () => {
    const rabbitmq = await OwnService.start('rabbitmq');
    const own = await EventsStage.open({ services: rabbitmq.services });
    try {
      const processor = own.processor({ EVENTS_PREFETCH: '20' });
      const bodies = (from: number) => Array.from({ length: 1_000 }, (_, n) => envelope({ id: `e${from + n}` }));
      await own.publishAll(bodies(0));
      await own.untilCounts(100, 0);
      await rabbitmq.kill();
      await says(processor, 'waiting for RabbitMQ');
      await rabbitmq.start();
      await own.stores.reconnect();
      await own.publishAll(bodies(1_000));
      await own.untilCounts(2_000, 0, SLOW_MS);
      await own.untilDrained();
      expect(await own.counts()).toEqual({ events: 2_000, quarantine: 0 });
    } finally {
      await own.close();
      await rabbitmq.close();
    }
  },
  SLOW_MS,
);

describe('SIGTERM', () => {
  test('finishes the batch, gives the rest back and ends with 0', async () => {
    const processor = stage.processor({ EVENTS_PREFETCH: '100' });
    const wanted = await publishMixed(5_000);
    await stage.untilCounts(1, 0);
    processor.signal('SIGTERM');
    expect(await processor.exit()).toBe(0);
    const { events, quarantine } = await stage.counts();
    expect(events + quarantine).toBeLessThan(5_000);
    await until(async () => expect(await stage.stores.ready(stage.queue)).toBe(5_000 - events - quarantine));
    stage.processor();
    await expectAll(wanted);
  });

  test('ends with 75 after a second signal while a batch waits for PostgreSQL', async () => {
    const proxy = await TcpProxy.openTo(stage.stores.env.DATABASE_URL, POSTGRES_PORT);
    const processor = stage.processor(through(proxy, 'DATABASE_URL'));
    await says(processor, 'receiving events');
    await proxy.close();
    await stage.publish(envelope());
    await says(processor, 'waiting for PostgreSQL');
    processor.signal('SIGTERM');
    await until(async () => expect((await stage.stores.channel.checkQueue(stage.queue)).consumerCount).toBe(0));
    processor.signal('SIGTERM');
    expect(await processor.exit()).toBe(75);
    await until(async () => expect(await stage.stores.ready(stage.queue)).toBe(1));
  });
});

describe('what stops a start, with one line and 78', () => {
  test('a queue that exists with other arguments', async () => {
    await stage.stores.channel.deleteQueue(stage.queue);
    await stage.stores.channel.assertQueue(stage.queue, { durable: false });
    const processor = stage.processor();
    expect(await processor.exit()).toBe(78);
    expect(processor.errors).toMatch(/^RABBITMQ_URL: .*events.*\n$/);
  });

  test('a wrong password of the broker', async () => {
    const url = new URL(stage.stores.env.RABBITMQ_URL);
    url.password = 'wrong';
    const processor = stage.processor({ RABBITMQ_URL: url.href });
    expect(await processor.exit()).toBe(78);
    expect(processor.errors).toMatch(/^RABBITMQ_URL: .*\n$/);
  });

  test('a wrong password of PostgreSQL, though nothing stands on the queue', async () => {
    const url = new URL(stage.stores.env.DATABASE_URL);
    url.password = 'wrong';
    const processor = stage.processor({ DATABASE_URL: url.href });
    expect(await processor.exit()).toBe(78);
    expect(processor.errors).toMatch(/^DATABASE_URL: .*\n$/);
  });

  test('a port of metrics that is taken', async () => {
    const taken = await TcpProxy.openTo(stage.stores.env.RABBITMQ_URL, RABBITMQ_PORT);
    const processor = stage.processor({ METRICS_PORT: String(taken.port), LOG_LEVEL: 'silent' });
    const code = await processor.exit();
    await taken.close();
    expect([code, processor.errors]).toEqual([78, `METRICS_PORT: port ${taken.port} is in use\n`]);
  });
});

test('a processor with nothing to do is up, and has counted no batch of its queue', async () => {
  const port = await freePort();
  const processor = stage.processor({ METRICS_PORT: String(port) });
  await says(processor, 'receiving events');
  await untilHealth(port, { code: '200', status: 'up', postgresql: 'up', rabbitmq: 'up' });
  const batches = async () =>
    /batch_seconds_count\{queue="(.*)"\} (.*)/.exec(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  expect((await batches())?.slice(1)).toEqual([stage.queue, '0']);
  await stage.publish(envelope());
  await until(async () => expect((await batches())?.slice(1)).toEqual([stage.queue, '1']));
});

test('a broker that does not answer is waited for, in the words of one who receives', async () => {
  const proxy = await TcpProxy.openTo(stage.stores.env.RABBITMQ_URL, RABBITMQ_PORT);
  proxy.hold();
  const processor = stage.processor(through(proxy, 'RABBITMQ_URL'));
  await says(processor, 'waiting for RabbitMQ: ');
  expect(processor.everything).not.toContain('published');
  await stage.publish(envelope());
  await proxy.open();
  await stage.untilCounts(1, 0);
  await proxy.close();
});

test('in the plain server a refusal of SQS does not stop what comes from RabbitMQ', async () => {
  const sqs = await OwnSqs.open();
  try {
    const env = { ...sqs.env, EVENTS_SQS_QUEUE: 'no-such-queue', API_PORT: '0' };
    const server = stage.server(env);
    await says(server, 'no events are taken from SQS: EVENTS_SQS_QUEUE: there is no queue');
    await stage.publish(envelope());
    await stage.untilCounts(1, 0);
    expect(server.output.filter((line) => line.includes('receiving events'))).toHaveLength(1);
  } finally {
    await sqs.close();
  }
});

test('a processor waits for tables that do not exist yet', async () => {
  const empty = await EventsStage.open();
  try {
    await empty.sql('ALTER TABLE event_registry RENAME TO away');
    const processor = empty.processor();
    await empty.publish(envelope());
    await says(processor, 'waiting for PostgreSQL: the tables do not exist yet');
    await empty.sql('ALTER TABLE away RENAME TO event_registry');
    await empty.untilCounts(1, 0);
  } finally {
    await empty.close();
  }
});
