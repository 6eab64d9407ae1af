import type { LanguageName } from '@disparo/contract/languages';
import type { Stage } from '../../testing/stage.js';
import { copyChunks, markPublished, pendingCampaign, publishChunks, requireStored, untilSent } from '../campaign.js';

const STARTED_MS = 60_000;

/** As many consumers as partitions, each with one partition and one campaign. */
export interface PartitionMeasure {
  language: LanguageName;
  partitions: number;
  numbers: number;
  /** Numbers still to be stored when the last consumer said "receiving"; the time starts there. */
  left: number;
  drainS: number;
}

/** Fills every queue and starts all consumers. The time starts when the last of them receives. */
export async function measurePartitions(
  stage: Stage,
  language: LanguageName,
  numbers: number,
): Promise<PartitionMeasure> {
  const { partitions } = stage.names;
  const each = Math.floor(numbers / partitions);
  const campaigns = [];
  for (let partition = 0; partition < partitions; partition++) {
    const campaign = await pendingCampaign(stage, each, partition);
    await copyChunks(stage, campaign);
    await markPublished(stage, campaign);
    await publishChunks(stage, campaign);
    campaigns.push(campaign);
  }
  const consumers = campaigns.map(({ partition }) =>
    stage.consumer({ CONSUMER_PARTITIONS: String(partition) }, language),
  );
  await Promise.all(consumers.map((consumer) => consumer.untilSaid('receiving', STARTED_MS)));
  const left = await numbersLeft(stage);
  const begun = performance.now();
  const alive = () => {
    for (const consumer of consumers) consumer.throwIfEnded();
  };
  const ends = await Promise.all(campaigns.map((campaign) => untilSent(stage, campaign, alive)));
  for (const campaign of campaigns) await requireStored(stage, campaign);
  return { language, partitions, numbers: each * partitions, left, drainS: (Math.max(...ends) - begun) / 1_000 };
}

async function numbersLeft(stage: Stage): Promise<number> {
  const [found] = await stage.sql<{ left: number }>('SELECT sum(total - stored)::int AS left FROM campaigns');
  return found?.left ?? 0;
}
