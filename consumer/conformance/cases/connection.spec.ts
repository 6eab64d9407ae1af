import { expect } from 'vitest';
import { freePort } from '../../../services/ports.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { allNumbers } from '../../../testing/seeds.js';
import { until, untilAtLeast } from '../../../testing/until.js';
import { type Case, prove } from '../runner/cases.js';

const TOTAL = 10_000;
const SERVICES = [
  { title: 'PostgreSQL', variable: 'DATABASE_URL', key: 'postgres', port: 5432 },
  { title: 'MongoDB', variable: 'MONGODB_URL', key: 'mongodb', port: 27017 },
  { title: 'RabbitMQ', variable: 'RABBITMQ_URL', key: 'rabbitmq', port: 5672 },
] as const;

prove('connections that break', [
  ...SERVICES.map(
    ({ title, variable, port }): Case => ({
      name: `${title}: cut twice in the middle, every number is stored once`,
      why: 'Between a consumer and a hosted service lies the internet.',
      async run(scope) {
        const stage = await scope.stage();
        const proxy = scope.cleaned(await TcpProxy.to(stage.env[variable], port));
        await proxy.open();
        const { id, chunks } = await stage.campaign(TOTAL, 100);
        await stage.publish(chunks);
        const consumer = stage.consumer({ [variable]: proxy.url, PREFETCH: '2' });
        for (const share of [0.1, 0.5]) {
          await untilAtLeast(TOTAL * share, () => stage.count());
          expect((await stage.ledger(id)).status, 'cut in the middle').toBe('enviando');
          proxy.cut();
        }
        await stage.untilStatus(id, 'enviado');
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
        await until(async () => expect(await stage.ready()).toBe(0));
        if (title === 'RabbitMQ') expect(consumer.said('receiving')).toHaveLength(3);
      },
    }),
  ),
  {
    name: 'that PostgreSQL ends, as a restart does, cost nothing but time',
    why: 'Managed databases end connections for maintenance; a consumer that dies of it wakes somebody up.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(TOTAL, 100);
      await stage.publish(chunks);
      const consumer = stage.consumer({ PREFETCH: '2' });
      for (const share of [0.1, 0.3, 0.5]) {
        await untilAtLeast(TOTAL * share, () => stage.count());
        const { rowCount } = await stage.pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'disparo-consumer'`,
        );
        expect(rowCount).toBeGreaterThan(0);
      }
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
      expect(consumer.said('lost the connection to RabbitMQ')).toEqual([]);
      await until(async () => expect(await stage.ready()).toBe(0));
    },
  },
  {
    name: 'to PostgreSQL for long: the current batch is held and then finished',
    why: 'A batch that is dropped or acknowledged meanwhile is a status that lies.',
    async run(scope) {
      const stage = await scope.stage();
      const proxy = scope.cleaned(await TcpProxy.to(stage.env.DATABASE_URL, 5432));
      await proxy.open();
      const { id, chunks } = await stage.campaign(TOTAL, 100);
      await stage.publish(chunks);
      const metricsPort = await freePort();
      const consumer = stage.consumer({ DATABASE_URL: proxy.url, PREFETCH: '2', METRICS_PORT: String(metricsPort) });
      await untilAtLeast(TOTAL * 0.3, () => stage.count());
      await proxy.close();
      await consumer.untilSaid('waiting for PostgreSQL');
      // PostgreSQL may still commit what it was told before the connection was lost; by the second try it has.
      await until(async () => expect(await postgresRetries(metricsPort)).toBeGreaterThanOrEqual(2));
      const settled = consumer.said('batch settled').length;
      const { stored } = await stage.ledger(id);
      expect(stored).toBeLessThan(TOTAL);
      await until(async () => expect(await postgresRetries(metricsPort)).toBeGreaterThanOrEqual(4));
      expect(consumer.said('batch settled')).toHaveLength(settled);
      expect((await stage.ledger(id)).stored).toBe(stored);
      // Only the current batch may be ahead of the ledger.
      expect((await stage.count()) - stored).toBeLessThanOrEqual(200);
      await proxy.open();
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
      expect(consumer.said('waiting for PostgreSQL')).toHaveLength(1);
      expect(consumer.said('PostgreSQL is back')).toHaveLength(1);
      expect(consumer.said('lost the connection to RabbitMQ')).toEqual([]);
      await until(async () => expect(await stage.ready()).toBe(0));
    },
  },
]);

prove('services that do not exist yet', [
  ...SERVICES.map(
    ({ title, variable, key, port }): Case => ({
      name: `${title}: a closed port is said once, health is 503, and it goes on when it opens`,
      why: 'In a deployment nobody decides which container is up first.',
      async run(scope) {
        const stage = await scope.stage();
        const proxy = scope.cleaned(await TcpProxy.to(stage.env[variable], port));
        const metricsPort = await freePort();
        const consumer = stage.consumer({ [variable]: proxy.url, METRICS_PORT: String(metricsPort) });
        await consumer.untilSaid(`waiting for ${title}: connection refused at 127.0.0.1:${proxy.port}`);
        const up = { status: 'up', postgres: 'up', mongodb: 'up', rabbitmq: 'up' };
        await until(async () =>
          expect(await health(metricsPort)).toEqual([503, { ...up, status: 'down', [key]: 'down' }]),
        );

        await proxy.open();
        await consumer.untilSaid('receiving');
        const { id, chunks } = await stage.campaign(5);
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        expect(await health(metricsPort)).toEqual([200, up]);
        expect(consumer.said('waiting for')).toHaveLength(1);
        expect(consumer.said(`${title} is back`)).toHaveLength(1);
      },
    }),
  ),
  {
    name: 'all three: each is said once, and whatever comes first, it begins when the last is there',
    why: 'After a power cut everything starts at once, and the consumer is the quickest.',
    async run(scope) {
      const stage = await scope.stage();
      const proxies: TcpProxy[] = [];
      const env: Record<string, string> = {};
      for (const { variable, port } of SERVICES) {
        const proxy = scope.cleaned(await TcpProxy.to(stage.env[variable], port));
        proxies.push(proxy);
        env[variable] = proxy.url;
      }
      const metricsPort = await freePort();
      const { id, chunks } = await stage.campaign(10, 5);
      await stage.publish(chunks);
      const consumer = stage.consumer({ ...env, METRICS_PORT: String(metricsPort) });
      for (const { title } of SERVICES) await consumer.untilSaid(`waiting for ${title}`);
      const down = { status: 'down', postgres: 'down', mongodb: 'down', rabbitmq: 'down' };
      expect(await health(metricsPort)).toEqual([503, down]);
      for (const proxy of proxies.reverse()) await proxy.open();
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(10));
      for (const { title } of SERVICES) {
        expect(consumer.said(`waiting for ${title}`)).toHaveLength(1);
        expect(consumer.said(`${title} is back`)).toHaveLength(1);
      }
    },
  },
  ...SERVICES.map(
    ({ title, variable }): Case => ({
      name: `${title}: an unknown host is waited for, and said once`,
      why: 'A name may appear later; a log full of the same line hides the one that matters.',
      async run(scope) {
        const stage = await scope.stage();
        const url = new URL(stage.env[variable]);
        url.hostname = 'nobody-made-this.invalid';
        const consumer = stage.consumer({ [variable]: url.href });
        await consumer.untilSaid(`waiting for ${title}: unknown host nobody-made-this.invalid`);
        consumer.signal('SIGTERM');
        expect(await consumer.exit()).toBe(0);
        expect(consumer.said('waiting for')).toHaveLength(1);
      },
    }),
  ),
]);

prove('what the operator sees', [
  {
    name: 'health sees a store that went away while there is nothing to do',
    why: 'The outage of a quiet night must be on the screen before the first campaign of the morning.',
    async run(scope) {
      const stage = await scope.stage();
      const database = scope.cleaned(await TcpProxy.to(stage.env.DATABASE_URL, 5432));
      const broker = scope.cleaned(await TcpProxy.to(stage.env.RABBITMQ_URL, 5672));
      for (const proxy of [database, broker]) await proxy.open();
      const metricsPort = await freePort();
      const consumer = stage.consumer({
        DATABASE_URL: database.url,
        RABBITMQ_URL: broker.url,
        METRICS_PORT: String(metricsPort),
      });
      await consumer.untilSaid('receiving');
      await database.close();
      await until(async () =>
        expect(await health(metricsPort)).toMatchObject([503, { postgres: 'down', rabbitmq: 'up' }]),
      );
      await broker.close();
      await until(async () =>
        expect(await health(metricsPort)).toMatchObject([503, { postgres: 'down', rabbitmq: 'down' }]),
      );
    },
  },
  {
    name: 'the metrics, under their names, are what was done',
    why: 'Dashboards and alerts are written once, for every language.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(10, 5);
      await stage.publish([...chunks, ...chunks]);
      await stage.publishRaw(Buffer.from('{'), {});
      const metricsPort = await freePort();
      const consumer = stage.consumer({ METRICS_PORT: String(metricsPort) });
      await stage.untilStatus(id, 'enviado');
      await until(() => expect(consumer.sum('messages')).toBe(5));
      const values = (await metrics(metricsPort))
        .split('\n')
        .filter((line) => line !== '' && !/^#|_bucket|_sum/.test(line));
      const batches = consumer.said('batch settled').length;
      // A registry may write the lines in any order.
      expect(values.sort()).toEqual(
        [
          `disparo_consumer_batches_total ${batches}`,
          'disparo_consumer_deliveries_total 5',
          'disparo_consumer_messages_stored_total 10',
          'disparo_consumer_repeated_total 2',
          'disparo_consumer_let_go_total 0',
          'disparo_consumer_dead_letters_total{reason="not_json"} 1',
          'disparo_consumer_store_retries_total{store="postgres"} 0',
          'disparo_consumer_store_retries_total{store="mongodb"} 0',
          `disparo_consumer_batch_seconds_count ${batches}`,
        ].sort(),
      );
    },
  },
]);

/** Failed attempts on PostgreSQL, as the consumer counts them. */
async function postgresRetries(port: number): Promise<number> {
  return Number(/store_retries_total\{store="postgres"\} (\d+)/.exec(await metrics(port))?.[1]);
}

async function metrics(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

async function health(port: number): Promise<[number, unknown]> {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return [response.status, await response.json()];
}
