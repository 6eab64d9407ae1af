import { once } from 'node:events';
import { ConfigurationError, EXIT } from '@disparo/contract';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from './app.js';
import type { Config } from './platform/config.js';
import { Duties } from './platform/duties.js';
import { Loops } from './platform/loops.js';
import { memberNumber, obeyPrimary, tellPrimary } from './platform/processes/member.js';
import { Runtime } from './platform/runtime.js';
import { migrate } from './platform/stores/migrate.js';
import { Mongo } from './platform/stores/mongo.js';
import { Broker } from './platform/stores/rabbitmq.js';
import { type StartupService, untilReady } from './platform/stores/until-ready.js';
import { Log } from './platform/telemetry/log.js';
import { Metrics } from './platform/telemetry/metrics.js';

/** How long requests in flight may take to finish after a signal. */
const GRACE_MS = 25_000;
const CLOSE_IDLE_MS = 100;

/**
 * The plain server: listens, waits for the stores, runs the duties; after a signal it finishes what is in flight. Returns the
 * exit code. Throws ConfigurationError and MigrationFailed.
 */
export async function serve(config: Config): Promise<number> {
  const runtime = new Runtime('server');
  const app = await createApp(config, runtime);
  await listen(app, config);
  obeySignals(app, runtime);
  const { stopping } = runtime;
  let duties: Promise<void> | undefined;
  let early: Promise<void>[] = [];
  const begin = () => {
    early = [app.get(Loops).run(stopping), app.get(Duties).repeat(stopping, 'needs-postgres-only')];
  };
  const working = storesReady(app, config, stopping, begin).then(() => {
    duties = app.get(Duties).repeat(stopping, 'needs-all');
    return duties;
  });
  // Work that still waits for a store when the signal comes ends with the process.
  if (!stopping.aborted) await Promise.race([working, once(stopping, 'abort')]);
  app.get(Log).info({ signal: stopping.reason.message }, 'stopping');
  await Promise.all([duties, ...early]);
  try {
    await close(app);
    return EXIT.drained;
  } catch (error) {
    app.get(Log).error({ err: error }, 'a bug: closing failed');
    return EXIT.bug;
  }
}

/** One of several processes is told by the primary; alone it hears the signals itself. */
function obeySignals(app: NestFastifyApplication, runtime: Runtime): void {
  if (memberNumber === undefined) runtime.stopOnSignals(GRACE_MS);
  else
    obeyPrimary(
      (reason) => runtime.stop(reason, GRACE_MS),
      () => app.get(Metrics).registry.getMetricsAsJSON(),
    );
}

/** Listening does not wait for the stores: health says what is missing, and requests are answered with 503. */
async function listen(app: NestFastifyApplication, config: Config): Promise<void> {
  try {
    await app.listen({ port: config.apiPort, host: config.apiHost, backlog: config.sockets.backlog });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new ConfigurationError('API_PORT', `${config.apiPort} is in use`);
    if (code === 'EACCES') throw new ConfigurationError('API_PORT', `${config.apiPort} is not open to this user`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new ConfigurationError('API_HOST', `${config.apiHost} is not an address of this machine`);
    throw error;
  }
  const url = await app.getUrl();
  app.get(Log).info({ url }, 'listening');
  await tellPrimary({ kind: 'listening', url });
}

/** Calls `begin` as soon as PostgreSQL is migrated, for the work that needs nothing else. Resolves when all stores are ready. */
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
  if (stop.aborted) return;
  log.info({}, 'ready');
  await tellPrimary({ kind: 'ready' });
}

/** Requests in flight are finished, then the stores close. */
async function close(app: NestFastifyApplication): Promise<void> {
  // Node closes idle connections once, at close(). Those that become idle later would delay it by their keep-alive.
  setInterval(() => app.getHttpServer().closeIdleConnections(), CLOSE_IDLE_MS).unref();
  await app.close();
}
