import { once } from 'node:events';
import { createServer } from 'node:net';
import { declareTopology } from '@disparo/contract';
import { expect } from 'vitest';
import type { Variable } from '../../../services/names.js';
import { freePort } from '../../../services/ports.js';
import type { Stage, StageOptions } from '../../../testing/stage.js';
import { type Case, prove, type Scope } from '../runner/cases.js';

/** None of its words is in any message of a consumer, so a test sees even a printed part of it. */
const SECRET = 'uma-senha-errada';
const PARTS_OF_SECRET = /senha|errada/;
const SERVICES = ['DATABASE_URL', 'MONGODB_URL', 'RABBITMQ_URL'] as const;
/** Enough for a start that fails before it looks at the stores or the broker. */
const BARE: StageOptions = { migrated: false, declared: false };

/** A change that makes the right URL wrong, and what the consumer must say of it. */
interface WrongUrl {
  name: string;
  variable: Variable;
  change: (url: URL) => void;
  says: RegExp;
  why: string;
}

const WRONG_URLS: WrongUrl[] = [
  {
    name: 'no password where PostgreSQL wants one',
    variable: 'DATABASE_URL',
    change: (url) => Object.assign(url, { password: '' }),
    says: /^DATABASE_URL: .*wants a password/,
    why: 'A secret that was not mounted would look like a database that is down, and somebody would restart the database.',
  },
  {
    name: 'no user and password where MongoDB wants them',
    variable: 'MONGODB_URL',
    change: (url) => Object.assign(url, { username: '', password: '', search: '' }),
    says: /^MONGODB_URL: .*wants a user and a password/,
    why: 'MongoDB lets anybody connect and refuses the first write: batches would be tried again for ever.',
  },
  {
    name: 'a missing vhost',
    variable: 'RABBITMQ_URL',
    change: (url) => Object.assign(url, { pathname: '/nobody-made-this' }),
    says: /^RABBITMQ_URL: .*vhost/,
    why: 'A misspelt vhost heals by no waiting: campaigns would stand still while the consumer seems to be alive.',
  },
  {
    name: 'a missing database',
    variable: 'DATABASE_URL',
    change: (url) => Object.assign(url, { pathname: '/nobody_made_this' }),
    says: /^DATABASE_URL: .*database does not exist/,
    why: 'A misspelt database heals by no waiting: campaigns would stand still while the consumer seems to be alive.',
  },
];

/** URLs that are malformed for every service. */
const MALFORMED: { variable: Variable; url: string; why: string }[] = [
  {
    variable: 'DATABASE_URL',
    url: `postgresql://user:${SECRET}@:x/y`,
    why: 'A driver that guesses the host connects elsewhere, and shows the password to whoever answers.',
  },
  {
    variable: 'DATABASE_URL',
    url: `mysql://user:${SECRET}@host/y`,
    why: 'The URL of another product, pasted by mistake, must not be tried as if it were ours.',
  },
  {
    variable: 'DATABASE_URL',
    url: `postgresql://user:${SECRET}@host/y?sslmode=verify-full&sslrootcert=/nobody/made/this`,
    why: 'A consumer that connects without the certificate it was told to check gives the password to anybody.',
  },
  {
    variable: 'MONGODB_URL',
    url: `mongodb://user:${SECRET}@host@other/y`,
    why: 'Half of a password with an @ would be taken for a host, looked up by name, and stand in the logs.',
  },
  {
    variable: 'MONGODB_URL',
    url: `mongodb://user:${SECRET}@host/y?nobodyknowsthis=1`,
    why: 'An option that one language obeys and another ignores makes the same deployment behave in two ways.',
  },
  {
    variable: 'MONGODB_URL',
    url: `mongodb://user:${SECRET}@`,
    why: 'A template whose host was not filled in would be waited for as a store that is down.',
  },
  {
    variable: 'RABBITMQ_URL',
    url: `amqp://user:${SECRET}@host:port`,
    why: 'A template whose port was not filled in would be waited for as a broker that is down.',
  },
  {
    variable: 'RABBITMQ_URL',
    url: 'localhost:5672',
    why: 'A host and a port without a scheme may be TLS or not: guessing sends the password in the clear.',
  },
];

/** URLs with a password that was not percent-encoded. */
const NOT_ENCODED: { variable: Variable; url: string }[] = [
  { variable: 'RABBITMQ_URL', url: `amqp://user:${SECRET}#1@127.0.0.1` },
  { variable: 'RABBITMQ_URL', url: `amqp://user:uma@senha-errada@127.0.0.1` },
  { variable: 'RABBITMQ_URL', url: 'amqp://user:senha%errada@127.0.0.1' },
  { variable: 'RABBITMQ_URL', url: `amqp://user:${SECRET}%ff@127.0.0.1` },
  { variable: 'RABBITMQ_URL', url: `amqp://user:${SECRET}@127.0.0.1/a%zz` },
  { variable: 'DATABASE_URL', url: `postgresql://user:${SECRET}#1@127.0.0.1/y` },
  { variable: 'DATABASE_URL', url: 'postgresql://user:uma@senha-errada@127.0.0.1/y' },
  { variable: 'DATABASE_URL', url: 'postgresql://user:senha%errada@127.0.0.1/y' },
  { variable: 'DATABASE_URL', url: `postgresql://user:${SECRET}%ff@127.0.0.1/y` },
  { variable: 'DATABASE_URL', url: `postgresql://user:${SECRET}@127.0.0.1/a%zz` },
];

/** Values outside of the documented range, and what the consumer must say of them. */
const WRONG_VALUES: { variable: string; value: string; says: RegExp; why: string }[] = [
  {
    variable: 'DATABASE_URL',
    value: '',
    says: /is not set/,
    why: 'An empty secret, as a missing one is mounted, must be told from a wrong one by whoever repairs it at night.',
  },
  {
    variable: 'PREFETCH',
    value: '0',
    says: /from 1 to 1000/,
    why: 'To RabbitMQ 0 means no limit: one consumer would take the whole queue into its memory.',
  },
  {
    variable: 'QUEUE_PARTITIONS',
    value: 'two',
    says: /from 1 to 64/,
    why: 'Read as 1, half of the queues would have no consumer, and their campaigns would never end.',
  },
  {
    variable: 'QUEUE_TYPE',
    value: 'Quorum',
    says: /classic, quorum/,
    why: 'Read as nothing, the queue would have one copy where its operator counts on three.',
  },
  {
    variable: 'CONSUMER_PARTITIONS',
    value: '0,1',
    says: /from 0 to 0/,
    why: 'A consumer of a partition that the API never publishes to looks busy to its operator and never is.',
  },
  {
    variable: 'CONSUMER_PARTITIONS',
    value: '0,0',
    says: /different/,
    why: 'Two consumers on one queue of one process would break the order of its numbers.',
  },
  {
    variable: 'QUEUE_PREFIX',
    value: 'with a blank',
    says: /letters/,
    why: 'Queues of another name than the publisher means are declared in silence, and nothing ever arrives in them.',
  },
  {
    variable: 'LOG_LEVEL',
    value: 'loud',
    says: /trace, debug/,
    why: 'An operator who misspells the level in an incident would get no lines at all, or wait for the wrong ones.',
  },
  {
    variable: 'METRICS_PORT',
    value: '70000',
    says: /from 1 to 65535/,
    why: 'A consumer without the port that its alarms watch is one that dies unseen.',
  },
];

prove('what stops a start', [
  ...SERVICES.map(
    (variable): Case => ({
      name: `a wrong password in ${variable}`,
      why: 'It heals by no waiting: campaigns would stand still behind a consumer that only seems to be connecting.',
      async run(scope) {
        const stage = await scope.stage();
        const url = changed(stage, variable, withWrongPassword);
        expect(await refused(stage, { [variable]: url })).toMatch(new RegExp(`^${variable}: .*password`));
      },
    }),
  ),
  ...SERVICES.map(
    (variable): Case => ({
      name: `a wrong password in ${variable}, while another service is down`,
      why: 'The operator would first repair what is down, and learn of the password only after that.',
      async run(scope) {
        const stage = await scope.stage();
        const other = variable === 'DATABASE_URL' ? 'MONGODB_URL' : 'DATABASE_URL';
        const port = String(await freePort());
        const url = changed(stage, variable, withWrongPassword);
        const down = changed(stage, other, (it) => Object.assign(it, { port }));
        const line = await refused(stage, { [variable]: url, [other]: down });
        expect(line).toMatch(new RegExp(`^${variable}: .*password`));
      },
    }),
  ),
  ...WRONG_URLS.map(
    ({ name, variable, change, says, why }): Case => ({
      name,
      why,
      async run(scope) {
        const stage = await scope.stage();
        expect(await refused(stage, { [variable]: changed(stage, variable, change) })).toMatch(says);
      },
    }),
  ),
  ...MALFORMED.map(
    ({ variable, url, why }): Case => ({
      name: `a malformed ${variable}: ${url}`,
      why,
      async run(scope) {
        const stage = await scope.stage(BARE);
        expect(await refused(stage, { [variable]: url })).toMatch(new RegExp(`^${variable}: `));
      },
    }),
  ),
  ...NOT_ENCODED.map(
    ({ variable, url }): Case => ({
      name: `an unencoded password in ${variable}: ${url}`,
      why: 'A part of the password would pass for a host or a vhost, be looked up by name and stand in the logs.',
      async run(scope) {
        const stage = await scope.stage(BARE);
        const line = await refused(stage, { [variable]: url });
        expect(line).toMatch(new RegExp(`^${variable}: .*percent-encoded`));
      },
    }),
  ),
  ...WRONG_VALUES.map(
    ({ variable, value, says, why }): Case => ({
      name: `a wrong value in ${variable}: "${value}"`,
      why,
      async run(scope) {
        const stage = await scope.stage(BARE);
        const line = await refused(stage, { [variable]: value });
        expect(line.startsWith(`${variable}: `), line).toBe(true);
        expect(line).toMatch(says);
      },
    }),
  ),
  {
    name: 'a METRICS_PORT that is in use',
    why: 'Alarms would read the health of another process, and call this consumer well while it is dead.',
    async run(scope) {
      const stage = await scope.stage();
      const port = await takenPort(scope);
      expect(await refused(stage, { METRICS_PORT: String(port) })).toBe(`METRICS_PORT: port ${port} is in use\n`);
    },
  },
  {
    name: 'a queue that exists with other arguments',
    why: 'A consumer that deletes or takes such a queue loses messages, or serves another installation.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      await stage.channel.assertQueue(stage.names.queue(0), { durable: true });
      const line = await refused(stage, {});
      expect(line).toMatch(/^RABBITMQ_URL: .*other arguments.*campaigns\.0.*QUEUE_PREFIX/);
    },
  },
  ...(['', 'classic', 'quorum'] as const).map(
    (type): Case => ({
      name: `a queue of another type than QUEUE_TYPE "${type}"`,
      why: 'Taken as it is, a queue that its operator believes to be on three nodes would be lost with one.',
      async run(scope) {
        const stage = await scope.stage({ declared: false });
        const other = type === 'quorum' ? 'classic' : 'quorum';
        await declareTopology(stage.channel, stage.env.QUEUE_PREFIX, 1, other);
        const line = await refused(stage, { QUEUE_TYPE: type });
        expect(line).toMatch(/^RABBITMQ_URL: .*other arguments.*x-queue-type.*\.dead.*delete it.*QUEUE_TYPE$/m);
      },
    }),
  ),
]);

prove('what is enough', [
  {
    name: 'a MongoDB user with readWrite on this database, at the first start and at the second',
    why: 'Who runs a consumer would have to give it the rights of an administrator, over the data of others too.',
    async run(scope) {
      const stage = await scope.stage();
      const db = stage.mongo;
      await db.command({ createUser: 'limited', pwd: 'limited', roles: ['readWrite'] });
      scope.cleaned({
        async close() {
          await db.command({ dropUser: 'limited' });
        },
      });
      const url = changed(stage, 'MONGODB_URL', (it) => {
        [it.username, it.password] = ['limited', 'limited'];
        it.searchParams.set('authSource', db.databaseName);
      });
      for (let start = 1; start <= 2; start++) {
        const consumer = stage.consumer({ MONGODB_URL: url });
        await consumer.untilSaid('receiving');
        const { id, chunks } = await stage.campaign(5);
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        await consumer.kill();
      }
    },
  },
]);

prove('what waits', [
  {
    name: 'a ledger whose tables do not exist yet, said once',
    why: 'In a first deploy consumer and migration start together: who crashes or says nothing alarms for no reason.',
    async run(scope) {
      const stage = await scope.stage({ migrated: false });
      const consumer = stage.consumer();
      await consumer.untilSaid('waiting for PostgreSQL: the tables do not exist yet');
      await stage.migrate();
      await consumer.untilSaid('receiving');
      expect(consumer.said('waiting for')).toHaveLength(1);
      expect(consumer.said('PostgreSQL is back')).toHaveLength(1);
    },
  },
  {
    name: 'exits 0 on SIGTERM while it waits',
    why: 'A deploy that is taken back in an outage would hang on every consumer until it is killed.',
    async run(scope) {
      const stage = await scope.stage();
      const port = String(await freePort());
      const consumer = stage.consumer({
        MONGODB_URL: changed(stage, 'MONGODB_URL', (it) => Object.assign(it, { port })),
      });
      await consumer.untilSaid('waiting for MongoDB');
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(0);
    },
  },
]);

/** Starts a consumer that must refuse: exit code 78, one line, nothing secret in all its output. Returns the line. */
async function refused(stage: Stage, env: Record<string, string>): Promise<string> {
  const consumer = stage.consumer(env);
  expect(await consumer.exit(), consumer.everything).toBe(78);
  const secrets = Object.values({ ...stage.env, ...env }).flatMap((url) => /:([^:/@]+)@/.exec(url)?.[1] ?? []);
  for (const secret of secrets.filter((word) => word !== 'disparo')) expect(consumer.everything).not.toContain(secret);
  expect(consumer.everything).not.toMatch(PARTS_OF_SECRET);
  expect(consumer.errors.match(/\n/g)).toHaveLength(1);
  return consumer.errors;
}

/** The stage's URL of a service after `change`. */
function changed(stage: Stage, variable: Variable, change: (url: URL) => void): string {
  const url = new URL(stage.env[variable]);
  change(url);
  return url.href;
}

function withWrongPassword(url: URL): void {
  url.username ||= 'someone';
  url.password = SECRET;
}

/** A port that is in use until the case ends. */
async function takenPort(scope: Scope): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  scope.cleaned({
    async close() {
      server.close();
    },
  });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return port;
}
