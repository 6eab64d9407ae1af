import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { CommandError } from '../../services/command-error.js';
import { Connection, type Target } from './process/connection.js';
import type { Look } from './process/share.js';
import type { ServerMetrics } from './server-metrics.js';

/** What this machine allows a process: open files (descriptors), and ports to one address. */
export interface Machine {
  descriptors: number;
  ports: number;
}

/** Over how many processes and addresses a load spreads its sockets. */
export interface Spread {
  processes: number;
  targets: Target[];
}

/** Linux's defaults, for a machine without /proc. */
const USUAL: Machine = { descriptors: 1_024, ports: 28_232 };
/** Sockets of one process; more would keep its clock waiting. */
const MOST_A_PROCESS = 16_000;
/** Open files of a process that are no sockets of the load. */
const RESERVE = 200;
const MOST_PROCESSES = 64;
/** To open a socket gets slow long before the last port to an address is taken. */
const SHARE_OF_PORTS = 0.65;
const LOOPBACK = '127.0.0.';
const MOST_LOOPBACKS = 250;
const PROBE_MS = 5_000;
/** What a process of the server takes, unless API_MAX_CONNECTIONS says otherwise, and the files that it keeps for itself. */
const SERVER_SOCKETS = 18_000;
const SERVER_RESERVE = 500;

/** Reads the limits of this process. */
export function thisMachine(): Machine {
  return {
    descriptors: Number(matched('/proc/self/limits', /^Max open files\s+(\d+)/m)[1] ?? USUAL.descriptors),
    ports: portsOf(matched('/proc/sys/net/ipv4/ip_local_port_range', /^(\d+)\s+(\d+)/)),
  };
}

function portsOf([, first, last]: string[]): number {
  return first === undefined ? USUAL.ports : Number(last) - Number(first) + 1;
}

function matched(file: string, pattern: RegExp): string[] {
  try {
    return pattern.exec(readFileSync(file, 'utf8')) ?? [];
  } catch {
    return [];
  }
}

/** Spreads sockets to a server at `base`. Throws CommandError, which names the limit that is too low and what to set. */
export async function spread(base: string, sockets: number, machine: Machine): Promise<Spread> {
  const { hostname, port, pathname } = new URL(base);
  const each = Math.min(MOST_A_PROCESS, machine.descriptors - RESERVE);
  const processes = Math.ceil(sockets / each);
  if (each < 1 || processes > MOST_PROCESSES)
    throw new CommandError(
      `a process may open ${machine.descriptors} files here, and ${sockets} sockets in ${MOST_PROCESSES} processes need ` +
        `${Math.ceil(sockets / MOST_PROCESSES) + RESERVE}: ulimit -n 20000`,
    );
  const host = await addressOf(hostname.replace(/^\[|\]$/g, ''));
  const perAddress = Math.floor(machine.ports * SHARE_OF_PORTS);
  const addresses = Math.ceil(sockets / perAddress);
  if (addresses > 1 && (!host.startsWith(LOOPBACK) || addresses > MOST_LOOPBACKS))
    throw new CommandError(
      `there are ${machine.ports} ports to one address (net.ipv4.ip_local_port_range), for about ${perAddress} sockets: ` +
        `load a server of this machine at ${LOOPBACK}1, to whose other addresses it spreads, or set a wider range`,
    );
  const hosts = addresses === 1 ? [host] : Array.from({ length: addresses }, (_, at) => `${LOOPBACK}${at + 1}`);
  const rest = { port: Number(port || 80), path: pathname.replace(/\/$/, '') };
  return { processes, targets: hosts.map((one) => ({ host: one, ...rest })) };
}

async function addressOf(hostname: string): Promise<string> {
  try {
    return (await lookup(hostname)).address;
  } catch (error) {
    throw new CommandError(`there is no host ${hostname} (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** How a server is started that takes so many sockets, at so many addresses of this machine. */
function serverFor(sockets: number, addresses: number, each = SERVER_SOCKETS): string {
  const processes = Math.ceil(sockets / Math.max(1, Math.min(each, SERVER_SOCKETS)));
  return `${addresses > 1 ? 'API_HOST=0.0.0.0 ' : ''}npm run server -- --processes ${processes}`;
}

/** Connects to each target once. Throws CommandError when one does not take it. */
export async function probe(targets: readonly Target[], sockets: number): Promise<void> {
  for (const target of targets) {
    const opened = await Connection.open(target, PROBE_MS).catch((error: Error) => error);
    if (!(opened instanceof Error)) opened.close();
    else
      throw new CommandError(
        `${target.host}:${target.port} takes no connection (${opened.message}); so many sockets need ${targets.length} addresses ` +
          `of this machine, and the server all of them: ${serverFor(sockets, targets.length)}`,
      );
  }
}

/**
 * Throws CommandError when the server's processes may not open as many more files as there are sockets. Where there are
 * several, one more starts them and takes no socket.
 */
export function checkServer(
  { processes, mostDescriptors, openDescriptors }: ServerMetrics,
  sockets: number,
  addresses: number,
): void {
  if (mostDescriptors === undefined || openDescriptors === undefined) return;
  const each = mostDescriptors / (processes > 1 ? processes + 1 : 1);
  const free = Math.floor(each * processes) - openDescriptors;
  if (free < sockets)
    throw new CommandError(
      `the server's processes may open ${free} more files, and ${sockets} sockets need one each: ` +
        `${serverFor(sockets, addresses, each - SERVER_RESERVE)}, or a higher ulimit -n before it starts`,
    );
}

/** Why sockets could not be opened, with what to set, in one line. */
export function refusal({ open, notOpen }: Look, sockets: number): string {
  const reasons = Object.entries(notOpen).map(([word, times]) => `${times} ${word}${advice(word)}`);
  return `${open} of ${sockets} sockets were open at once, and nothing was sent: ${reasons.join('; ')}`;
}

const ADVICE: readonly [RegExp, string][] = [
  [/^(EMFILE|ENFILE)/, 'this process has no descriptors left: ulimit -n 20000'],
  [/^EADDRNOTAVAIL/, 'no port is left: a wider net.ipv4.ip_local_port_range'],
  [/^ECONNREFUSED/, 'nothing listens there'],
  [/^ETIMEDOUT/, 'the server does not accept in time: a longer backlog, net.core.somaxconn and API_BACKLOG'],
  [
    /^closed/,
    'the server takes fewer, or none that is silent for long: API_PROCESSES, API_MAX_CONNECTIONS, its ulimit -n',
  ],
];

function advice(word: string): string {
  const found = ADVICE.find(([pattern]) => pattern.test(word));
  return found ? ` (${found[1]})` : '';
}
