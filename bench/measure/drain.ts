import type { LanguageName } from '@disparo/contract/languages';
import type { Process } from '../../testing/process.js';
import type { Stage } from '../../testing/stage.js';
import { copyChunks, markPublished, pendingCampaign, publishChunks, requireStored, untilSent } from '../campaign.js';
import { type Cost, costOf, costSince, untilIdle, whileStopped } from '../cost.js';

const STARTED_MS = 60_000;

/** One drain of a full queue by one consumer, with the machine's own times for the same campaign. */
export interface DrainMeasure {
  language: LanguageName;
  numbers: number;
  /** From "receiving" to `enviado`. */
  drainS: number;
  /** Ceiling C: COPY of the campaign's rows. */
  copyS: number;
  /** Ceiling Q: confirmed publishes of its bodies. */
  publishS: number;
  /**
   * Seconds of a second campaign of the same size, drained by the same consumer once it is at rest. The consumer is stopped
   * while the queue is filled; the time is from when it goes on to `enviado`. Undefined: not measured, or the system does
   * not say when a process rests.
   */
  warmS: number | undefined;
  /** CPU time of the consumer from "receiving" to `enviado`; its peak memory since its start. */
  consumer: Cost | undefined;
}

/**
 * Fills the queue with a campaign, then starts the consumer and waits until all is sent. With `again`, the same consumer
 * drains a second campaign. Throws unless every number is stored.
 */
export async function measureDrain(
  stage: Stage,
  language: LanguageName,
  numbers: number,
  { again }: { again: boolean },
): Promise<DrainMeasure> {
  const campaign = await pendingCampaign(stage, numbers);
  const copyS = await copyChunks(stage, campaign);
  await markPublished(stage, campaign);
  const publishS = await publishChunks(stage, campaign);
  const consumer = stage.consumer({}, language);
  const { at } = await consumer.untilSaid('receiving', STARTED_MS);
  const before = costOf(consumer);
  const sent = await untilSent(stage, campaign, () => consumer.throwIfEnded());
  const cost = costSince(consumer, before);
  const atRest = again && (await untilIdle(consumer));
  if (!atRest) await consumer.stop();
  await requireStored(stage, campaign);
  const first = { language, numbers, drainS: (sent - at) / 1_000, copyS, publishS, consumer: cost };
  return { ...first, warmS: atRest ? await drainWarm(stage, consumer, numbers) : undefined };
}

async function drainWarm(stage: Stage, consumer: Process, numbers: number): Promise<number> {
  const campaign = await pendingCampaign(stage, numbers);
  await copyChunks(stage, campaign);
  await markPublished(stage, campaign);
  const begun = await whileStopped(consumer, () => publishChunks(stage, campaign));
  const sent = await untilSent(stage, campaign, () => consumer.throwIfEnded());
  await requireStored(stage, campaign);
  return (sent - begun) / 1_000;
}
