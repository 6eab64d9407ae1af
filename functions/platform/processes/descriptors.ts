import { existsSync, readFileSync } from 'node:fs';
import type { Log } from '../telemetry/log.js';

/** For the stores, the log, the files of uploads and the program itself. */
const RESERVED = 500;
const LIMITS = '/proc/self/limits';

/**
 * Warns when a process may not open as many descriptors as it would take sockets: the kernel then refuses clients, and
 * the stores as well. Node has raised the soft limit to the hard one by itself. Silent where the system has no /proc.
 */
export function warnOfDescriptors(maxConnections: number, log: Log, limits = ownLimits()): void {
  const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  if (soft === '' || maxConnections + RESERVED <= Number(soft)) return;
  const fields = { descriptors: Number(soft), API_MAX_CONNECTIONS: maxConnections, reserved: RESERVED };
  log.warn(fields, 'API_MAX_CONNECTIONS is over what a process may open: raise `ulimit -n`, or lower it');
}

function ownLimits(): string {
  return existsSync(LIMITS) ? readFileSync(LIMITS, 'utf8') : '';
}
