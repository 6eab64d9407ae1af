import cluster from 'node:cluster';
import { writeSync } from 'node:fs';
import { ConfigurationError, EXIT } from '@disparo/contract';
import { loadConfig } from './platform/config.js';
import { warnOfDescriptors } from './platform/processes/descriptors.js';
import { heedPrimaryOnly, reportFailure } from './platform/processes/member.js';
import { superviseProcesses } from './platform/processes/primary.js';
import { MigrationFailed } from './platform/stores/migrate.js';
import { createLog } from './platform/telemetry/log.js';

const STDERR = 2;

/** The plain server: this process alone, or with API_PROCESSES several that share the port, and one that starts them. */
async function run(): Promise<number> {
  if (cluster.isWorker) heedPrimaryOnly();
  const config = loadConfig();
  if (cluster.isPrimary) warnOfDescriptors(config.sockets.max, createLog(config.logLevel));
  if (cluster.isPrimary && config.apiProcesses > 1) return superviseProcesses(config, createLog(config.logLevel));
  // The process that starts the others has no use for the app, which takes time and memory.
  const { serve } = await import('./serve.js');
  return serve(config);
}

try {
  process.exit(await run());
} catch (error) {
  const knows = error instanceof ConfigurationError || error instanceof MigrationFailed;
  if (!knows) throw error;
  const code = error instanceof MigrationFailed ? error.exitCode : EXIT.configuration;
  // One of several tells the primary, which says it once and ends them all.
  if (cluster.isWorker) await reportFailure(error.message, code);
  else writeSync(STDERR, `${error.message}\n`);
  process.exit(code);
}
