import { chownSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { serviceUser } from '../../../../services/user.js';
import { onServer } from '../../../../testing/databases.js';
import { OwnService } from '../../../../testing/own-service.js';
import { until } from '../../../../testing/until.js';
import { Balancer } from './balancer.js';

const STANDBY = 'standby';

/** A PostgreSQL primary and a standby behind one address. The standby has each commit before the client is told of it. */
export class PostgresPair {
  private constructor(
    private readonly primary: OwnService,
    private readonly standby: OwnService,
    private readonly address: Balancer,
  ) {}

  static async start(): Promise<PostgresPair> {
    const primary = await OwnService.start('postgres');
    try {
      const standby = await copyOf(primary);
      await onServer(urlOf(primary), `ALTER SYSTEM SET synchronous_standby_names = '${STANDBY}'`);
      await onServer(urlOf(primary), 'SELECT pg_reload_conf()');
      await untilSynchronous(urlOf(primary));
      return new PostgresPair(primary, standby, await Balancer.before([primary.state.ports.postgres]));
    } catch (error) {
      await primary.close();
      throw error;
    }
  }

  /** The URL of the balancer, which stays the same after failOver(). */
  get url(): string {
    const url = new URL(urlOf(this.primary));
    url.port = String(this.address.port);
    return url.href;
  }

  /** Kills the primary; the standby takes its place and its address. */
  async failOver(): Promise<void> {
    await this.primary.kill();
    await onServer(urlOf(this.standby), 'SELECT pg_promote()');
    this.address.targets = [this.standby.state.ports.postgres];
  }

  async close(): Promise<void> {
    await this.address.close();
    for (const server of [this.standby, this.primary]) await server.close();
  }
}

function urlOf(server: OwnService): string {
  return server.services.DATABASE_URL ?? '';
}

/** Makes a standby: a copy of the files of the stopped primary, plus the settings of a standby. Both run afterwards. */
async function copyOf(primary: OwnService): Promise<OwnService> {
  await primary.stop();
  return OwnService.start('postgres', async (clone, state) => {
    state.password = primary.state.password;
    const user = await serviceUser('postgres');
    const home = join(clone.data, 'postgres');
    const data = join(home, 'data');
    mkdirSync(home, { mode: 0o700 });
    cpSync(join(primary.clone.data, 'postgres', 'data'), data, { recursive: true, preserveTimestamps: true });
    writeFileSync(join(data, 'standby.signal'), '');
    const connection = new URL(urlOf(primary));
    connection.searchParams.set('application_name', STANDBY);
    writeFileSync(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${connection.href}'\n`);
    const files = readdirSync(home, { recursive: true }) as string[];
    for (const file of ['.', ...files]) if (user) chownSync(join(home, file), user.uid, user.gid);
    await primary.start();
  });
}

async function untilSynchronous(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await until(async () => {
      const { rows } = await client.query('SELECT application_name, sync_state FROM pg_stat_replication');
      expect(rows).toEqual([{ application_name: STANDBY, sync_state: 'sync' }]);
    });
  } finally {
    await client.end();
  }
}
