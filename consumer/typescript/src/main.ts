import { ConfigurationError, EXIT, Service } from '@disparo/contract';
import pino, { type Logger } from 'pino';
import { readConfig } from './config.js';
import { openStores } from './connect.js';
import type { Services } from './consume.js';
import { fired, stopOnSignals } from './drain.js';
import { serveHealth } from './health.js';
import { Identifiers } from './identifiers.js';
import { Report } from './report.js';
import { run } from './run.js';

/** A store that does not answer must not hold up the end of the process. */
const CLOSE_TIMEOUT_MS = 3_000;

async function main(): Promise<void> {
  const config = readConfig();
  const log = pino({ name: 'consumer-typescript', level: config.logLevel, timestamp: pino.stdTimeFunctions.isoTime });
  const stop = stopOnSignals(() => {
    log.warn('forced to stop; unfinished messages are delivered again');
    process.exit(EXIT.forced);
  });
  const stores = openStores(config);
  const report = new Report(log);
  const services = servicesOf(config, log, report);
  if (config.metricsPort !== undefined) await serveHealth(config.metricsPort, stores, services, report);

  const identifiers = new Identifiers();
  const consumer = { config, stores, identifiers, services, report, stop, log, busy: false };
  const running = run(consumer);
  // While it only connects there is nothing to finish, so that attempt is not waited for.
  await Promise.race([running, fired(stop.receiving)]);
  if (consumer.busy) {
    await running;
    await Promise.race([stores.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS))]);
  }
  log.info('drained');
}

function servicesOf(config: ReturnType<typeof readConfig>, log: Logger, report: Report): Services {
  const { databaseUrl, mongodbUrl, rabbitmqUrl } = config;
  return {
    postgres: new Service('PostgreSQL', 'DATABASE_URL', databaseUrl, log, () => report.countRetry('postgres')),
    mongodb: new Service('MongoDB', 'MONGODB_URL', mongodbUrl, log, () => report.countRetry('mongodb')),
    rabbitmq: new Service('RabbitMQ', 'RABBITMQ_URL', rabbitmqUrl, log),
  };
}

try {
  await main();
  process.exit(EXIT.drained);
} catch (error) {
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT.configuration);
  }
  process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
  process.exit(EXIT.bug);
}
