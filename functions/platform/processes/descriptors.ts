import { readFileSync } from 'node:fs';
import type { Log } from '../telemetry/log.js';

/** For the stores, the log, the files of uploads and the program itself. */
const RESERVED = 500;

/**
 * Warns when a process may not open as many descriptors as it would take sockets: the kernel then refuses clients, and
 * the stores as well. Node has raised the soft limit to the hard one by itself. Silent where the system has no /proc.
 */
export function warnOfDescriptors(maxConnections: number, log: Log, limit = descriptorLimit()): void {
  if (limit === undefined || maxConnections + RESERVED <= limit) return;
  const fields = { descriptors: limit, API_MAX_CONNECTIONS: maxConnections, reserved: RESERVED };
  log.warn(fields, 'API_MAX_CONNECTIONS is over what this process may open: raise `ulimit -n`, or lower it');
}

function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
