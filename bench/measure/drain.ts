import type { LanguageName } from '@disparo/contract/languages';
import type { Cost } from '../program.js';
import { Program } from '../program.js';
import type { Room } from '../room.js';
import { cpuSince, type ServiceCpu, serviceCpu } from './services.js';

const BATCH = 'batch settled';
const STEPS = ['gather', 'admit', 'store', 'record', 'settle'] as const;

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
   * One more campaign of the same size, for the same consumer once it is at rest: it stands still while the queue is filled,
   * and then from there to `enviado`. Undefined: not measured, or the system does not say when a process rests.
   */
  atHandS: number | undefined;
  /** Of the consumer, from "receiving" to `enviado`; its peak since its start. */
  consumer: Cost | undefined;
  services: ServiceCpu;
  batches: number;
  /** Seconds in each step of the loop, as the consumer's own log lines say. */
  steps: Record<(typeof STEPS)[number], number>;
}

/**
 * Fills the queue with a campaign, then starts the consumer and waits; with `again`, the same once more with the consumer at
 * hand. Throws unless all are stored.
 */
export async function measureDrain(
  room: Room,
  language: LanguageName,
  numbers: number,
  { again }: { again: boolean },
): Promise<DrainMeasure> {
  const campaign = await room.campaign(numbers);
  const copyS = await room.copyChunks(campaign);
  await room.markPublished(campaign);
  const publishS = await room.publishChunks(campaign);
  const consumer = Program.consumer(language, room.env);
  try {
    const { at } = await consumer.untilSaid('receiving');
    const [before, servicesBefore] = [consumer.cost(), serviceCpu()];
    const sent = await room.untilSent(campaign, () => consumer.throwIfEnded());
    const [after, services] = [consumer.cost(), cpuSince(servicesBefore)];
    // At rest it has said its last line, too.
    const atRest = again && (await consumer.untilIdle());
    if (!atRest) await consumer.stop();
    await room.requireStored(campaign);
    const step = (name: string) => consumer.sum(BATCH, `${name}_ms`) / 1_000;
    const first = {
      language,
      numbers,
      drainS: (sent - at) / 1_000,
      copyS,
      publishS,
      consumer: after && { ...after, cpuS: after.cpuS - (before?.cpuS ?? 0) },
      services,
      batches: consumer.count(BATCH),
      steps: Object.fromEntries(STEPS.map((name) => [name, step(name)])) as DrainMeasure['steps'],
    };
    return { ...first, atHandS: atRest ? await drainAtHand(room, consumer, numbers) : undefined };
  } finally {
    await consumer.stop();
  }
}

async function drainAtHand(room: Room, consumer: Program, numbers: number): Promise<number> {
  const campaign = await room.campaign(numbers);
  await room.copyChunks(campaign);
  await room.markPublished(campaign);
  const begun = await consumer.whileStanding(() => room.publishChunks(campaign));
  const sent = await room.untilSent(campaign, () => consumer.throwIfEnded());
  await room.requireStored(campaign);
  return (sent - begun) / 1_000;
}
