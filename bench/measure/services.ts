import { readdirSync, readFileSync } from 'node:fs';
import { SERVICES } from '../../services/bring-up.js';
import { openClone } from '../../services/clone.js';
import type { ServiceName } from '../../services/names.js';
import { costOf } from '../program.js';

/** CPU seconds of the services, of those that run as this clone's own binaries. */
export type ServiceCpu = Partial<Record<ServiceName, number>>;

/** What each service has used since its start. PostgreSQL's is that of its whole family: a process a connection. */
export function serviceCpu(): ServiceCpu {
  const clone = openClone(process.cwd());
  const found: ServiceCpu = {};
  for (const { name, pid } of SERVICES) {
    const first = pid(clone);
    if (first === undefined) continue;
    found[name] = [first, ...childrenOf(first)].reduce((sum, member) => sum + (costOf(member)?.cpuS ?? 0), 0);
  }
  return found;
}

/** What they have used since then. */
export function cpuSince(before: ServiceCpu): ServiceCpu {
  const now = serviceCpu();
  const used = (Object.keys(now) as ServiceName[]).map((name) => [name, (now[name] ?? 0) - (before[name] ?? 0)]);
  return Object.fromEntries(used);
}

function childrenOf(pid: number): number[] {
  const ids = entries('/proc').map(Number).filter(Boolean);
  return ids.filter((id) => Number(/^PPid:\s+(\d+)/m.exec(textOf(`/proc/${id}/status`))?.[1]) === pid);
}

/** Nothing where there is no such folder, as on macOS. */
function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty when the process has ended meanwhile. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
