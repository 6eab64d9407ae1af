import pg from 'pg';
import { expect } from 'vitest';
import { onServer } from '../../../testing/databases.js';
import type { Stage } from '../../../testing/stage.js';
import { prove, type Scope } from '../runner/cases.js';

const PASSWORD = 'segredo';
/** A name of more bytes than MongoDB takes. */
const LONG = 'd'.repeat(64);

/** Options of MONGODB_URL that every language must accept and work with on the server of the tests, whatever they say. */
const TAKEN = [
  'w=2&journal=false&wtimeout=5',
  'compressors=snappy,zstd',
  'readPreference=secondary&readConcernLevel=snapshot',
  'timeoutMS=1&socketTimeoutMS=1',
  'retryWrites=true&maxPoolSize=1&minPoolSize=5',
  'directConnection=true&appName=other',
];
/** URLs that no waiting heals. The driver of some language would retry them for ever, or read them as something else. */
const REFUSED: Record<'MONGODB_URL' | 'RABBITMQ_URL', string[]> = {
  MONGODB_URL: [
    'loadBalanced=true',
    'compressors=gzip',
    'authMechanism=MONGODB-CR',
    'authMechanism=PLAIN',
    'tls=true&tlsAllowInvalidCertificates=true',
    'tls=true&tlsCAFile=/nobody/made/this',
    'tls=yes',
    'w=1&W=2',
    'maxPoolSize=0',
  ],
  RABBITMQ_URL: ['auth_mechanism=EXTERNAL', 'auth_mechanism=nonsense', 'heartbeat=65536', 'cacertfile=/a', 'unknown=1'],
};

prove('users without a right, and URLs that no waiting heals', [
  {
    // The start stops without the collection and with it: the writer creates it.
    name: 'a MongoDB user who may only read, or only create, stops a start',
    why: 'Its batches would be tried again for ever, behind a consumer that looks busy.',
    async run(scope) {
      const stage = await scope.stage();
      for (const role of ['read', 'dbAdmin']) {
        const url = await mongoUser(scope, stage, role);
        expect(await refused(stage, { MONGODB_URL: url })).toMatch(/^MONGODB_URL: the user may not .* write/);
      }
      const writer = stage.consumer();
      await writer.untilSaid('receiving');
      await writer.kill();
      const reader = await mongoUser(scope, stage, 'read', 'reader2');
      expect(await refused(stage, { MONGODB_URL: reader })).toMatch(/^MONGODB_URL: the user may not .* write/);
    },
  },
  {
    name: 'a MongoDB database that differs only in case, or has too long a name, stops a start',
    why: 'A misspelt database heals by no waiting: campaigns would stand still while the consumer seems to be alive.',
    async run(scope) {
      const stage = await scope.stage();
      await stage.messages.insertOne({ _id: 'makes the database' } as never);
      const other = stage.env.QUEUE_PREFIX.toUpperCase();
      expect(await refused(stage, { MONGODB_URL: withPath(stage, other) })).toMatch(/^MONGODB_URL: .*case only/);
      expect(await refused(stage, { MONGODB_URL: withPath(stage, LONG) })).toMatch(/^MONGODB_URL: /);
    },
  },
  {
    name: 'a view in the place of the collection of messages stops a start',
    why: 'A view takes no document: every number would wait for ever.',
    async run(scope) {
      const stage = await scope.stage();
      await stage.mongo.createCollection('messages', { viewOn: 'others', pipeline: [] });
      expect(await refused(stage, {})).toMatch(/^MONGODB_URL: the server refuses the collection/);
    },
  },
  {
    // Without any right to them, or with one to read alone.
    name: "a PostgreSQL user who may not write the ledger's tables stops a start",
    why: 'A user that somebody forgot to grant is no outage, and no restart of the database heals it.',
    async run(scope) {
      const stage = await scope.stage();
      const user = `u_${stage.env.QUEUE_PREFIX}`;
      await onServer(stage.env.DATABASE_URL, `CREATE ROLE ${user} LOGIN PASSWORD '${PASSWORD}'`);
      const admin = new pg.Client({ connectionString: stage.env.DATABASE_URL });
      await admin.connect();
      scope.cleaned({
        async close() {
          await admin.query(`DROP OWNED BY ${user}`);
          await admin.query(`DROP ROLE ${user}`);
          await admin.end();
        },
      });
      const url = new URL(stage.env.DATABASE_URL);
      [url.username, url.password] = [user, PASSWORD];
      const says = /^DATABASE_URL: the user has no right to the tables\n$/;
      expect(await refused(stage, { DATABASE_URL: url.href })).toMatch(says);
      await admin.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user}`);
      expect(await refused(stage, { DATABASE_URL: url.href })).toMatch(says);
      await admin.query(`GRANT SELECT, UPDATE ON campaigns, campaign_chunks TO ${user}`);
      const consumer = stage.consumer({ DATABASE_URL: url.href });
      await consumer.untilSaid('receiving');
    },
  },
  {
    name: 'options that change nothing here are taken, and a campaign is sent',
    why: 'The URL that a provider shows has some of them: it must not work in one language and not in another.',
    async run(scope) {
      const stage = await scope.stage();
      for (const options of TAKEN) {
        const url = withOptions(stage.env.MONGODB_URL, options);
        const consumer = stage.consumer({
          MONGODB_URL: url,
          RABBITMQ_URL: `${stage.env.RABBITMQ_URL}?auth_mechanism=PLAIN`,
        });
        const { id, chunks } = await stage.campaign(5);
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        consumer.signal('SIGTERM');
        expect(await consumer.exit(), options).toBe(0);
      }
    },
  },
  ...(['MONGODB_URL', 'RABBITMQ_URL'] as const).map((variable) => ({
    name: `options of ${variable} that no language takes stop a start`,
    why: 'An option that one language obeys and another ignores makes the same deployment behave in two ways.',
    async run(scope: Scope) {
      const stage = await scope.stage({ migrated: false });
      for (const options of REFUSED[variable]) {
        const line = await refused(stage, { [variable]: withOptions(stage.env[variable], options) });
        expect(line, options).toMatch(new RegExp(`^${variable}: `));
      }
    },
  })),
]);

/** Starts a consumer that must refuse: exit code 78 and one line without a password. Returns that line. */
async function refused(stage: Stage, env: Record<string, string>): Promise<string> {
  const consumer = stage.consumer(env);
  expect(await consumer.exit(), consumer.everything).toBe(78);
  expect(consumer.errors).toMatch(/^[^\n]+\n$/);
  expect(consumer.everything).not.toContain(PASSWORD);
  return consumer.errors;
}

/** The URL of a new user of the stage's database, with one role. */
async function mongoUser(scope: Scope, stage: Stage, role: string, name: string = role): Promise<string> {
  const db = stage.mongo;
  await db.command({ createUser: name, pwd: PASSWORD, roles: [role] });
  scope.cleaned({
    async close() {
      await db.command({ dropUser: name });
    },
  });
  const url = new URL(stage.env.MONGODB_URL);
  [url.username, url.password] = [name, PASSWORD];
  url.searchParams.set('authSource', db.databaseName);
  return url.href;
}

function withPath(stage: Stage, database: string): string {
  const url = new URL(stage.env.MONGODB_URL);
  url.pathname = `/${database}`;
  return url.href;
}

function withOptions(url: string, options: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${options}`;
}
