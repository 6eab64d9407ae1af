import { afterEach, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { freePort } from '../runner/consumer-process.js';
import { allNumbers, Stage } from '../runner/stage.js';
import { TcpProxy } from '../runner/tcp-proxy.js';
import { PATIENCE_MS, until, untilAtLeast } from '../runner/until.js';

const TOTAL = 10_000;
const SERVICES = [
  ['PostgreSQL', 'DATABASE_URL', 'postgres', 5432],
  ['MongoDB', 'MONGODB_URL', 'mongodb', 27017],
  ['RabbitMQ', 'RABBITMQ_URL', 'rabbitmq', 5672],
] as const;

describe('connections that break', { timeout: 2 * PATIENCE_MS }, () => {
  const toClean: { close(): Promise<void> }[] = [];
  const cleaned = <T extends { close(): Promise<void> }>(thing: T): T => {
    toClean.unshift(thing);
    return thing;
  };
  afterEach(async () => {
    for (const thing of toClean.splice(0)) await thing.close();
  }, PATIENCE_MS);

  it.each(SERVICES)('%s: cut twice in the middle, every number is stored once', async (title, variable, _key, port) => {
    const stage = cleaned(await Stage.open());
    const proxy = cleaned(await TcpProxy.to(stage.env[variable], port));
    await proxy.open();
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    const consumer = stage.start({ [variable]: proxy.url, PREFETCH: '2' });
    for (const share of [0.1, 0.5]) {
      await untilAtLeast(TOTAL * share, () => stage.count());
      expect((await stage.ledger(id)).status, 'cut in the middle').toBe('enviando');
      proxy.cut();
    }
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
    await until(async () => expect(await stage.ready()).toBe(0));
    if (title === 'RabbitMQ') expect(consumer.said('receiving')).toHaveLength(3);
  });

  it.each(SERVICES)(
    '%s: a closed port is said once, health is 503, and it goes on when it opens',
    async (title, variable, key, port) => {
      const stage = cleaned(await Stage.open());
      const proxy = cleaned(await TcpProxy.to(stage.env[variable], port));
      const metricsPort = await freePort();
      const consumer = stage.start({ [variable]: proxy.url, METRICS_PORT: String(metricsPort) });
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
  );

  it('waits for all three when none is up, each said once, whatever comes first', async () => {
    const stage = cleaned(await Stage.open());
    const proxies: TcpProxy[] = [];
    const env: Record<string, string> = {};
    for (const [, variable, , port] of SERVICES) {
      const proxy = cleaned(await TcpProxy.to(stage.env[variable], port));
      proxies.push(proxy);
      env[variable] = proxy.url;
    }
    const metricsPort = await freePort();
    const { id, chunks } = await stage.campaign(10, 5);
    await stage.publish(chunks);
    const consumer = stage.start({ ...env, METRICS_PORT: String(metricsPort) });
    for (const [title] of SERVICES) await consumer.untilSaid(`waiting for ${title}`);
    const down = { status: 'down', postgres: 'down', mongodb: 'down', rabbitmq: 'down' };
    expect(await health(metricsPort)).toEqual([503, down]);
    for (const proxy of proxies.reverse()) await proxy.open();
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(10));
    for (const [title] of SERVICES) {
      expect(consumer.said(`waiting for ${title}`)).toHaveLength(1);
      expect(consumer.said(`${title} is back`)).toHaveLength(1);
    }
  });

  it('holds its batch while PostgreSQL cannot be reached, and goes on with it', async () => {
    const stage = cleaned(await Stage.open());
    const proxy = cleaned(await TcpProxy.to(stage.env.DATABASE_URL, 5432));
    await proxy.open();
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    const metricsPort = await freePort();
    const consumer = stage.start({ DATABASE_URL: proxy.url, PREFETCH: '2', METRICS_PORT: String(metricsPort) });
    await untilAtLeast(TOTAL * 0.3, () => stage.count());
    await proxy.close();
    await consumer.untilSaid('waiting for PostgreSQL');
    const settled = consumer.said('batch settled').length;
    const { stored } = await stage.ledger(id);
    expect(stored).toBeLessThan(TOTAL);
    await until(async () => expect(await postgresRetries(metricsPort)).toBeGreaterThanOrEqual(4));
    expect(consumer.said('batch settled')).toHaveLength(settled);
    expect((await stage.ledger(id)).stored).toBe(stored);
    // At most the batch at hand is ahead of the ledger.
    expect((await stage.count()) - stored).toBeLessThanOrEqual(200);
    await proxy.open();
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
    expect(consumer.said('waiting for PostgreSQL')).toHaveLength(1);
    expect(consumer.said('PostgreSQL is back')).toHaveLength(1);
    expect(consumer.said('the connection to RabbitMQ is gone')).toEqual([]);
    await until(async () => expect(await stage.ready()).toBe(0));
  });

  it.each(SERVICES)('%s: an unknown host is waited for, and said once', async (title, variable) => {
    const stage = cleaned(await Stage.open());
    const url = new URL(stage.env[variable]);
    url.hostname = 'nobody-made-this.invalid';
    const consumer = stage.start({ [variable]: url.href });
    await consumer.untilSaid(`waiting for ${title}: unknown host nobody-made-this.invalid`);
    consumer.signal('SIGTERM');
    expect(await consumer.exit()).toBe(0);
    expect(consumer.said('waiting for')).toHaveLength(1);
  });

  it('connections that PostgreSQL ends, as a restart does, cost nothing but time', async () => {
    const stage = cleaned(await Stage.open());
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    const consumer = stage.start({ PREFETCH: '2' });
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
    expect(consumer.said('the connection to RabbitMQ is gone')).toEqual([]);
    await until(async () => expect(await stage.ready()).toBe(0));
  });

  it('health sees a store that went away while there is nothing to do', async () => {
    const stage = cleaned(await Stage.open());
    const proxies = await Promise.all([
      TcpProxy.to(stage.env.DATABASE_URL, 5432),
      TcpProxy.to(stage.env.RABBITMQ_URL, 5672),
    ]);
    const [database, broker] = proxies.map(cleaned);
    if (!database || !broker) throw new Error('two proxies');
    await Promise.all(proxies.map((proxy) => proxy.open()));
    const metricsPort = await freePort();
    const consumer = stage.start({
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
  });

  it('serves the metrics under their names', async () => {
    const stage = cleaned(await Stage.open());
    const { id, chunks } = await stage.campaign(10, 5);
    await stage.publish([...chunks, ...chunks]);
    await stage.publishRaw(Buffer.from('{'), {});
    const metricsPort = await freePort();
    const consumer = stage.start({ METRICS_PORT: String(metricsPort) });
    await stage.untilStatus(id, 'enviado');
    await until(() => expect(consumer.sum('messages')).toBe(5));
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const values = text.split('\n').filter((line) => line !== '' && !/^#|_bucket|_sum/.test(line));
    const batches = consumer.said('batch settled').length;
    // A registry may sort them: the order of lines means nothing.
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
  });

  /** Attempts on PostgreSQL that have failed, by the consumer's own count. */
  async function postgresRetries(port: number): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/store_retries_total\{store="postgres"\} (\d+)/.exec(text)?.[1]);
  }

  async function health(port: number): Promise<[number, unknown]> {
    const response = await fetch(`http://127.0.0.1:${port}/health`);
    return [response.status, await response.json()];
  }
});
