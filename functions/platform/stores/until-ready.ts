import { setTimeout as pause } from 'node:timers/promises';
import { ConfigurationError, refusal } from '@disparo/contract';
import pg from 'pg';
import type { Log } from '../telemetry/log.js';
import { MigrationFailed } from './migrate.js';
import { isAway } from './postgres.js';

/** Between two tries of a service that is not reachable yet. */
const RETRY_MS = 1_000;

/** A service that the start waits for. */
export interface StartupService {
  /** The one that has its URL. */
  variable: string;
  service: string;
  /** The service is ready when this succeeds. */
  work(): Promise<unknown>;
}

/**
 * Tries until `work` succeeds, or until told to stop. A failure that waiting can heal is logged once when it begins, and its
 * end is logged too. Any other failure is thrown: ConfigurationError, MigrationFailed, or an error of SQL.
 */
export async function untilReady(
  { variable, service, work }: StartupService,
  log: Log,
  stop: AbortSignal,
): Promise<void> {
  for (let waiting = false; !stop.aborted; waiting = true) {
    try {
      await work();
      log.info({ service }, waiting ? 'the service is reachable now' : 'the service is ready');
      return;
    } catch (error) {
      // The stores close while the process stops, and that is no outage.
      if (stop.aborted) return;
      const refused = refusal(error);
      if (refused) throw new ConfigurationError(variable, refused);
      if (error instanceof ConfigurationError || error instanceof MigrationFailed) throw error;
      // A statement that fails is a migration with a mistake, which waiting does not heal.
      if (error instanceof pg.DatabaseError && !isAway(error)) throw error;
      if (!waiting) log.warn({ service, why: why(error) }, 'the service is not reachable; trying again until it is');
      await pause(RETRY_MS, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}

/** The error in a few words: those of the drivers carry whole descriptions of their topology. */
function why(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}
