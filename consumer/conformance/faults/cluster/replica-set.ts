import { MongoClient } from 'mongodb';
import { expect } from 'vitest';
import { OwnService } from '../../../../testing/own-service.js';
import { until } from '../../../../testing/until.js';

const MEMBERS = 3;
const NAME = 'disparo';
/** MongoDB's default is 10 s. */
const ELECTION_TIMEOUT_MS = 3_000;

/** Three mongods that are one replica set. */
export class ReplicaSet {
  private constructor(private readonly members: OwnService[]) {}

  static async start(): Promise<ReplicaSet> {
    const started = await Promise.allSettled(
      Array.from({ length: MEMBERS }, () =>
        OwnService.start('mongodb', (_, state) => {
          state.member = { replicaSet: NAME };
        }),
      ),
    );
    const members = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const set = new ReplicaSet(members);
    try {
      for (const one of started) if (one.status === 'rejected') throw one.reason;
      await set.initiate();
      return set;
    } catch (error) {
      await set.close();
      throw error;
    }
  }

  get url(): string {
    return `mongodb://${this.hosts.join(',')}/disparo?replicaSet=${NAME}`;
  }

  /** The member that takes the writes now. */
  async primary(): Promise<OwnService> {
    return until(async () => {
      const { primary } = await this.onFirst<{ primary?: string }>({ hello: 1 });
      const found = this.members[this.hosts.indexOf(primary ?? '')];
      if (!found) throw new Error('there is no primary');
      return found;
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.members.map((member) => member.close()));
  }

  private get hosts(): string[] {
    return this.members.map(({ state }) => `127.0.0.1:${state.ports.mongodb}`);
  }

  private async initiate(): Promise<void> {
    const members = this.hosts.map((host, _id) => ({ _id, host }));
    const settings = { electionTimeoutMillis: ELECTION_TIMEOUT_MS };
    await this.onFirst({ replSetInitiate: { _id: NAME, members, settings } });
    await this.primary();
    await until(async () => {
      const { members: seen } = await this.onFirst<{ members: { state: number }[] }>({ replSetGetStatus: 1 });
      expect(seen.map(({ state }) => state).sort()).toEqual([1, 2, 2]);
    });
  }

  private async onFirst<T>(command: Record<string, unknown>): Promise<T> {
    const client = new MongoClient(`mongodb://${this.hosts[0]}/?directConnection=true`);
    try {
      return (await client.db('admin').command(command)) as T;
    } finally {
      await client.close();
    }
  }
}
