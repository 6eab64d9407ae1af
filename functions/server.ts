import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { ConfigurationError, EXIT } from '@disparo/contract';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from './app.js';
import { type Config, loadConfig } from './platform/config.js';
import { Duties } from './platform/duties.js';
import { Loops } from './platform/loops.js';
import { Runtime } from './platform/runtime.js';
import { MigrationFailed, migrate } from './platform/stores/migrate.js';
import { Mongo } from './platform/stores/mongo.js';
import { Broker } from './platform/stores/rabbitmq.js';
import { type StartupService, untilReady } from './platform/stores/until-ready.js';
import { Log } from './platform/telemetry/log.js';

/** How long requests in flight may take to finish after a signal. */
const GRACE_MS = 25_000;
const CLOSE_IDLE_MS = 100;
const STDERR = 2;

/** The plain server: listens, waits for the stores, runs the duties; after a signal it finishes what is in flight. */
async function serve(): Promise<void> {
  const config = loadConfig();
  const runtime = new Runtime('server');
  const app = await createApp(config, runtime);
  await listen(app, config);
  runtime.stopOnSignals(GRACE_MS);
  const { stopping } = runtime;
  let duties: Promise<void> | undefined;
  let loops: Promise<void> | undefined;
  const begin = () => {
    loops = app.get(Loops).run(stopping);
  };
  const working = storesReady(app, config, stopping, begin).then(() => {
    duties = app.get(Duties).repeat(stopping);
    return duties;
  });
  // Work that still waits for a store when the signal comes ends with the process.
  await Promise.race([working, once(stopping, 'abort')]);
  app.get(Log).info({ signal: stopping.reason.message }, 'stopping');
  await Promise.all([duties, loops]);
  await close(app).catch((error: unknown) => {
    app.get(Log).error({ err: error }, 'a bug: closing failed');
    process.exit(EXIT.bug);
  });
}

/** Listening does not wait for the stores: health says what is missing, and requests are answered with 503. */
async function listen(app: NestFastifyApplication, config: Config): Promise<void> {
  try {
    await app.listen(config.apiPort, config.apiHost);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new ConfigurationError('API_PORT', `${config.apiPort} is in use`);
    if (code === 'EACCES') throw new ConfigurationError('API_PORT', `${config.apiPort} is not open to this user`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new ConfigurationError('API_HOST', `${config.apiHost} is not an address of this machine`);
    throw error;
  }
  app.get(Log).info({ url: await app.getUrl() }, 'listening');
}

/** Calls `begin` as soon as PostgreSQL is migrated, since loops need nothing else, and resolves when all stores are ready. */
async function storesReady(
  app: NestFastifyApplication,
  config: Config,
  stop: AbortSignal,
  begin: () => void,
): Promise<void> {
  const log = app.get(Log);
  const stores: StartupService[] = [
    {
      variable: 'DATABASE_URL',
      service: 'postgresql',
      work: async () => {
        await migrate(config.databaseUrl, 'up', (line) => log.warn({}, line));
        begin();
      },
    },
    { variable: 'MONGODB_URL', service: 'mongodb', work: () => app.get(Mongo).declare() },
    { variable: 'RABBITMQ_URL', service: 'rabbitmq', work: () => app.get(Broker).ping() },
  ];
  await Promise.all(stores.map((store) => untilReady(store, log, stop)));
  if (!stop.aborted) log.info({}, 'ready');
}

/** Requests in flight are finished, then the stores close. */
async function close(app: NestFastifyApplication): Promise<void> {
  // Node closes idle connections once, at close(). Those that become idle later would delay it by their keep-alive.
  setInterval(() => app.getHttpServer().closeIdleConnections(), CLOSE_IDLE_MS).unref();
  await app.close();
}

try {
  await serve();
  process.exit(EXIT.drained);
} catch (error) {
  const knows = error instanceof ConfigurationError || error instanceof MigrationFailed;
  if (!knows) throw error;
  writeSync(STDERR, `${error.message}\n`);
  process.exit(error instanceof MigrationFailed ? error.exitCode : EXIT.configuration);
}
