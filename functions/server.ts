import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigurationError, EXIT, refusal } from '@disparo/contract';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { createApp } from './app.js';
import { type Config, loadConfig } from './platform/config.js';
import { Duties } from './platform/duties.js';
import { MigrationFailed, migrate } from './platform/stores/migrate.js';
import { Mongo } from './platform/stores/mongo.js';
import { isAway } from './platform/stores/postgres.js';
import { Broker } from './platform/stores/rabbitmq.js';
import { Log } from './platform/telemetry/log.js';

/** Between two tries of a service that is not reachable yet. */
const RETRY_MS = 1_000;
/** How long requests in flight may take to finish after SIGTERM. */
const GRACE_MS = 25_000;
const CLOSE_IDLE_MS = 100;
const STDERR = 2;

/** Ends the process with the one line that says why. */
function stop(exitCode: number, line: string): never {
  writeSync(STDERR, `${line}\n`);
  process.exit(exitCode);
}

function configuration(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (error instanceof ConfigurationError) stop(EXIT.configuration, error.message);
    throw error;
  }
}

/** Listening does not wait for the stores: health says what is missing, and requests are answered with 503. */
async function listen(app: NestFastifyApplication, config: Config): Promise<void> {
  try {
    await app.listen(config.apiPort, config.apiHost);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') stop(EXIT.configuration, `API_PORT: ${config.apiPort} is in use`);
    if (code === 'EACCES') stop(EXIT.configuration, `API_PORT: ${config.apiPort} is not for this user`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      stop(EXIT.configuration, `API_HOST: ${config.apiHost} is no address of this machine`);
    throw error;
  }
  app.get(Log).info({ url: await app.getUrl() }, 'listening');
}

/**
 * Tries until it works. What cannot heal by waiting ends the process; what can is logged once when it is found and once
 * when it is over.
 */
async function untilReady(variable: string, service: string, log: Log, work: () => Promise<unknown>): Promise<void> {
  for (let waiting = false; ; ) {
    try {
      await work();
      log.info({ service }, waiting ? 'the service is reachable now' : 'the service is ready');
      return;
    } catch (error) {
      const refused = refusal(error);
      if (refused) stop(EXIT.configuration, `${variable}: ${refused}`);
      if (error instanceof ConfigurationError) stop(EXIT.configuration, error.message);
      if (error instanceof MigrationFailed) stop(error.exitCode, error.message);
      // A statement that fails is a migration with a mistake, which no waiting heals.
      if (error instanceof pg.DatabaseError && !isAway(error)) throw error;
      if (!waiting) log.warn({ service, why: why(error) }, 'the service is not reachable; trying again until it is');
      waiting = true;
      await pause(RETRY_MS);
    }
  }
}

/** In a few words: the drivers' own errors carry whole descriptions of their topology. */
function why(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}

/** What the plain server does beside answering, once the stores are ready; answers what ends it. */
async function workBeside(app: NestFastifyApplication, config: Config): Promise<() => Promise<void>> {
  const log = app.get(Log);
  await Promise.all([
    untilReady('DATABASE_URL', 'postgresql', log, () =>
      migrate(config.databaseUrl, 'up', (line) => log.warn({}, line)),
    ),
    untilReady('MONGODB_URL', 'mongodb', log, () => app.get(Mongo).declare()),
    untilReady('RABBITMQ_URL', 'rabbitmq', log, () => app.get(Broker).ping()),
  ]);
  log.info({}, 'ready');
  const stopDuties = new AbortController();
  const duties = app.get(Duties).repeat(stopDuties.signal);
  return async () => {
    stopDuties.abort();
    await duties;
  };
}

/** SIGTERM and SIGINT: requests in flight are finished, then the stores close. A second signal does not wait. */
function stopOnSignal(app: NestFastifyApplication, beside: Promise<() => Promise<void>>): void {
  const log = app.get(Log);
  let stopping = false;
  let endBeside = async (): Promise<void> => {};
  // Not ready yet means nothing runs beside, and what still waits for a store ends with the process.
  beside.then(
    (end) => {
      endBeside = end;
    },
    () => {},
  );
  const onSignal = async (signal: NodeJS.Signals): Promise<void> => {
    if (stopping) process.exit(EXIT.forced);
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(EXIT.forced), GRACE_MS).unref();
    try {
      await endBeside();
      // Node closes the idle connections once, at close(): those that become idle later would hold it for their keep-alive.
      setInterval(() => app.getHttpServer().closeIdleConnections(), CLOSE_IDLE_MS).unref();
      await app.close();
      process.exit(EXIT.drained);
    } catch (error) {
      log.error({ err: error }, 'a bug: closing failed');
      process.exit(EXIT.bug);
    }
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

const config = configuration();
const app = await createApp(config, 'server');
await listen(app, config);
const beside = workBeside(app, config);
stopOnSignal(app, beside);
await beside;
