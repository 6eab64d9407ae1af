import type { LanguageName } from '../../consumer/conformance/runner/languages.js';
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
  /** Of the consumer, from "receiving" to `enviado`; its peak since its start. */
  consumer: Cost | undefined;
  services: ServiceCpu;
  batches: number;
  /** Seconds in each step of the loop, as the consumer's own log lines say. */
  steps: Record<(typeof STEPS)[number], number>;
}

/** Fills the queue with a campaign, then starts the consumer and waits. Throws unless all are stored. */
export async function measureDrain(room: Room, language: LanguageName, numbers: number): Promise<DrainMeasure> {
  const campaign = await room.campaign(numbers);
  const copyS = await room.copyChunks(campaign);
  const publishS = await room.publishChunks(campaign);
  const consumer = Program.consumer(language, room.env);
  try {
    const { at } = await consumer.untilSaid('receiving');
    const [before, servicesBefore] = [consumer.cost(), serviceCpu()];
    const sent = await room.untilSent(campaign, () => consumer.throwIfEnded());
    const [after, services] = [consumer.cost(), cpuSince(servicesBefore)];
    await consumer.stop();
    await room.requireStored(campaign);
    const step = (name: string) => consumer.sum(BATCH, `${name}_ms`) / 1_000;
    return {
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
  } finally {
    await consumer.stop();
  }
}
