import type { LanguageName } from '@disparo/contract/languages';
import { Program } from '../program.js';
import type { Room } from '../room.js';

/** As many consumers as partitions, each with one partition and one campaign. */
export interface PartitionMeasure {
  language: LanguageName;
  partitions: number;
  numbers: number;
  /** Numbers that were left when the last consumer said "receiving"; the time counts from there. */
  left: number;
  drainS: number;
}

/** Fills every queue, starts all consumers and counts from when the last of them receives. */
export async function measurePartitions(
  room: Room,
  language: LanguageName,
  numbers: number,
): Promise<PartitionMeasure> {
  const { partitions } = room.names;
  const each = Math.floor(numbers / partitions);
  const campaigns = [];
  for (let partition = 0; partition < partitions; partition++) {
    const campaign = await room.campaign(each, partition);
    await room.copyChunks(campaign);
    await room.markPublished(campaign);
    await room.publishChunks(campaign, partition);
    campaigns.push(campaign);
  }
  const consumers = campaigns.map((_, partition) =>
    Program.consumer(language, { ...room.env, CONSUMER_PARTITIONS: String(partition) }),
  );
  try {
    await Promise.all(consumers.map((consumer) => consumer.untilSaid('receiving')));
    const left = await numbersLeft(room);
    const begun = performance.now();
    const alive = () => {
      for (const consumer of consumers) consumer.throwIfEnded();
    };
    const ends = await Promise.all(campaigns.map((campaign) => room.untilSent(campaign, alive)));
    for (const campaign of campaigns) await room.requireStored(campaign);
    return { language, partitions, numbers: each * partitions, left, drainS: (Math.max(...ends) - begun) / 1_000 };
  } finally {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  }
}

async function numbersLeft(room: Room): Promise<number> {
  const { rows } = await room.pool.query<{ left: number }>('SELECT sum(total - stored)::int AS left FROM campaigns');
  return rows[0]?.left ?? 0;
}
