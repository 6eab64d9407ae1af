import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import type { Stage } from '../testing/stage.js';

/** The machine and the versions that a run was measured with. */
export interface Machine {
  cores: number;
  processor: string;
  memoryGb: number;
  system: string;
  node: string;
  postgres: string;
  mongod: string;
  rabbitmq: string;
  rust: string;
  go: string;
}

const GB = 1e9;

/** Asks the services and the compilers for their versions; a compiler that is not installed is "-". */
export async function machineOf({ pool, mongo, channel }: Stage): Promise<Machine> {
  const { rows } = await pool.query<{ server_version: string }>('SHOW server_version');
  const { version } = await mongo.command({ buildInfo: 1 });
  const { serverProperties } = channel.connection as unknown as { serverProperties: { version?: string } };
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? '-',
    memoryGb: Math.round(totalmem() / GB),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    postgres: rows[0]?.server_version ?? '-',
    mongod: String(version),
    rabbitmq: serverProperties.version ?? '-',
    rust: versionOf('rustc', '--version'),
    go: versionOf('go', 'version'),
  };
}

function versionOf(command: string, ...args: string[]): string {
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '-';
}
