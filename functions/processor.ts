import { EXIT } from '@disparo/contract';
import { createApp } from './app.js';
import { ProcessEvents } from './events/intake/process-events.js';
import { Config, loadConfig } from './platform/config.js';
import { withDeadline } from './platform/deadline.js';
import { runOnce } from './platform/once.js';
import { Postgres } from './platform/stores/postgres.js';
import { Metrics } from './platform/telemetry/metrics.js';
import { serveMetrics } from './platform/telemetry/metrics-port.js';

/** How long the current batch may take after a signal. */
const GRACE_MS = 20_000;
const PING_MS = 1_000;

/** Takes events from their queues until it is told to stop, as the plain server does next to its requests. */
await runOnce(
  (runtime) => createApp(loadConfig(), runtime),
  async (app, stop) => {
    const { metricsPort } = app.get(Config);
    const processing = app.get(ProcessEvents);
    if (metricsPort !== undefined) {
      const { registry } = app.get(Metrics);
      // An idle loop does not notice that PostgreSQL went away.
      const postgres = () =>
        withDeadline(
          PING_MS,
          app
            .get(Postgres)
            .ping()
            .then(() => true),
          () => false,
        );
      const services = async () => {
        const seen = processing.services();
        return { ...seen, postgresql: seen.postgresql === true && (await postgres().catch(() => false)) };
      };
      await serveMetrics(metricsPort, registry, services);
    }
    await processing.run(stop);
    return EXIT.drained;
  },
  GRACE_MS,
);
