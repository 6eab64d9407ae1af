import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { freePort } from '../runner/consumer-process.js';
import { Stage } from '../runner/stage.js';
import { PATIENCE_MS } from '../runner/until.js';

const SECRET = 'uma-senha-errada';

describe('what stops a start', { timeout: PATIENCE_MS }, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  }, PATIENCE_MS);
  afterAll(() => stage.close(), PATIENCE_MS);

  /** Exit code 78 and one line, which the expectation names; nothing secret in all that was printed. */
  async function refused(env: Record<string, string>): Promise<string> {
    const consumer = stage.start(env);
    expect(await consumer.exit(), consumer.everything).toBe(78);
    const secrets = Object.values({ ...stage.env, ...env }).flatMap((url) => /:([^:/@]+)@/.exec(url)?.[1] ?? []);
    for (const secret of secrets.filter((word) => word !== 'disparo'))
      expect(consumer.everything).not.toContain(secret);
    expect(consumer.errors.match(/\n/g)).toHaveLength(1);
    return consumer.errors;
  }

  const changed = (variable: 'DATABASE_URL' | 'MONGODB_URL' | 'RABBITMQ_URL', change: (url: URL) => void): string => {
    const url = new URL(stage.env[variable]);
    change(url);
    return url.href;
  };

  it.each(['DATABASE_URL', 'MONGODB_URL', 'RABBITMQ_URL'] as const)('a wrong password in %s', async (variable) => {
    const url = changed(variable, (it) => {
      it.username ||= 'someone';
      it.password = SECRET;
    });
    expect(await refused({ [variable]: url })).toMatch(new RegExp(`^${variable}: .*password`));
  });

  it.each(['DATABASE_URL', 'MONGODB_URL', 'RABBITMQ_URL'] as const)(
    'a wrong password in %s, while another service is down',
    async (variable) => {
      const other = variable === 'DATABASE_URL' ? 'MONGODB_URL' : 'DATABASE_URL';
      const port = await freePort();
      const url = changed(variable, (it) => {
        it.username ||= 'someone';
        it.password = SECRET;
      });
      const down = changed(other, (it) => {
        it.port = String(port);
      });
      expect(await refused({ [variable]: url, [other]: down })).toMatch(new RegExp(`^${variable}: .*password`));
    },
  );

  it('no password where the server wants one', async () => {
    const postgres = changed('DATABASE_URL', (it) => {
      it.password = '';
    });
    expect(await refused({ DATABASE_URL: postgres })).toMatch(/^DATABASE_URL: .*wants a password/);
    const mongodb = changed('MONGODB_URL', (it) => {
      it.username = '';
      it.password = '';
      it.search = '';
    });
    expect(await refused({ MONGODB_URL: mongodb })).toMatch(/^MONGODB_URL: .*wants a user and a password/);
  });

  it('a missing vhost', async () => {
    const url = changed('RABBITMQ_URL', (it) => {
      it.pathname = '/nobody-made-this';
    });
    expect(await refused({ RABBITMQ_URL: url })).toMatch(/^RABBITMQ_URL: .*vhost/);
  });

  it('a missing database', async () => {
    const url = changed('DATABASE_URL', (it) => {
      it.pathname = '/nobody_made_this';
    });
    expect(await refused({ DATABASE_URL: url })).toMatch(/^DATABASE_URL: .*database does not exist/);
  });

  it.each([
    ['DATABASE_URL', `postgresql://user:${SECRET}@:x/y`],
    ['DATABASE_URL', `mysql://user:${SECRET}@host/y`],
    ['DATABASE_URL', `postgresql://user:${SECRET}@host/y?sslmode=verify-full&sslrootcert=/nobody/made/this`],
    ['MONGODB_URL', `mongodb://user:${SECRET}@host@other/y`],
    ['MONGODB_URL', `mongodb://user:${SECRET}@host/y?nobodyknowsthis=1`],
    ['MONGODB_URL', `mongodb://user:${SECRET}@`],
    ['RABBITMQ_URL', `amqp://user:${SECRET}@host:port`],
    ['RABBITMQ_URL', 'localhost:5672'],
  ])('a malformed %s: %s', async (variable, url) => {
    expect(await refused({ [variable]: url })).toMatch(new RegExp(`^${variable}: `));
  });

  it.each([
    ['DATABASE_URL', '', /is not set/],
    ['PREFETCH', '0', /from 1 to 1000/],
    ['QUEUE_PARTITIONS', 'two', /from 1 to 64/],
    ['CONSUMER_PARTITIONS', '0,1', /from 0 to 0/],
    ['CONSUMER_PARTITIONS', '0,0', /different/],
    ['QUEUE_PREFIX', 'with a blank', /letters/],
    ['LOG_LEVEL', 'loud', /trace, debug/],
    ['METRICS_PORT', '70000', /from 1 to 65535/],
  ])('a wrong value in %s: "%s"', async (variable, value, says) => {
    const line = await refused({ [variable]: value });
    expect(line.startsWith(`${variable}: `), line).toBe(true);
    expect(line).toMatch(says);
  });

  it('a METRICS_PORT that is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(await refused({ METRICS_PORT: String(port) })).toBe(`METRICS_PORT: port ${port} is in use\n`);
    server.close();
  });

  it('a queue that exists with other arguments', async () => {
    const prefix = `${stage.env.QUEUE_PREFIX}.other`;
    await stage.channel.assertQueue(`${prefix}.campaigns.0`, { durable: true });
    const line = await refused({ QUEUE_PREFIX: prefix });
    expect(line).toMatch(/^RABBITMQ_URL: .*other arguments.*campaigns\.0.*QUEUE_PREFIX/);
    await stage.channel.deleteQueue(`${prefix}.campaigns.0`);
    await stage.channel.deleteQueue(`${prefix}.dead`);
    for (const exchange of ['campaigns', 'dead']) await stage.channel.deleteExchange(`${prefix}.${exchange}`);
  });
});

describe('what is enough', { timeout: PATIENCE_MS }, () => {
  it('a MongoDB user with readWrite on this database, at the first start and at the second', async () => {
    const stage = await Stage.open();
    const user = { createUser: 'limited', pwd: 'limited', roles: ['readWrite'] };
    try {
      await stage.mongo.db().command(user);
      const url = new URL(stage.env.MONGODB_URL);
      [url.username, url.password] = ['limited', 'limited'];
      url.searchParams.set('authSource', stage.mongo.db().databaseName);
      for (let start = 1; start <= 2; start++) {
        const consumer = stage.start({ MONGODB_URL: url.href });
        await consumer.untilSaid('receiving');
        const { id, chunks } = await stage.campaign(5);
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        await consumer.kill();
      }
      await stage.mongo.db().command({ dropUser: 'limited' });
    } finally {
      await stage.close();
    }
  });
});

describe('what waits', { timeout: PATIENCE_MS }, () => {
  it('a ledger whose tables are not there yet, said once', async () => {
    const stage = await Stage.open({ migrated: false });
    try {
      const consumer = stage.start();
      await consumer.untilSaid('waiting for PostgreSQL: the tables of the ledger are not there yet');
      await stage.migrate();
      await consumer.untilSaid('receiving');
      expect(consumer.said('waiting for')).toHaveLength(1);
      expect(consumer.said('PostgreSQL is back')).toHaveLength(1);
    } finally {
      await stage.close();
    }
  });

  it('exits 0 on SIGTERM while it waits', async () => {
    const stage = await Stage.open();
    try {
      const url = new URL(stage.env.MONGODB_URL);
      url.port = String(await freePort());
      const consumer = stage.start({ MONGODB_URL: url.href });
      await consumer.untilSaid('waiting for MongoDB');
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(0);
    } finally {
      await stage.close();
    }
  });
});
