import { Process } from '../../testing/process.js';
import type { Stage } from '../../testing/stage.js';
import { untilTrue } from '../../testing/until.js';
import { type Cost, costOf, costSince } from '../cost.js';
import { numbersFile } from './numbers-file.js';

/** How the naive publisher waits for confirms: for each before the next message, or for all at the end. */
export type Confirm = 'each' | 'end';

/** What the naive publisher and the naive consumer took for some numbers. */
export interface NaiveMeasure {
  numbers: number;
  /** From the file to the last confirm, without the start of the process. */
  publishS: number;
  /** From "receiving" to the UPDATE that ends the campaign. */
  drainS: number;
  consumer: Cost | undefined;
}

const POLL_MS = 5;
/** The slowest that is waited for: two minutes to start, then 200 numbers a second. */
const PATIENCE_MS = 120_000;
const PATIENCE_PER_NUMBER_MS = 5;

/** One process publishes a file of `numbers` numbers, another drains them. Throws unless all are stored. */
export async function measureNaive(stage: Stage, numbers: number, confirm: Confirm): Promise<NaiveMeasure> {
  const file = numbersFile(numbers);
  const withinMs = PATIENCE_MS + numbers * PATIENCE_PER_NUMBER_MS;
  const started = (name: string, ...args: string[]) =>
    stage.with(Process.script(`bench/naive/${name}.js`, { env: stage.env }, args));
  try {
    const { line } = await started('publisher', file.path, confirm).untilSaid('published', withinMs);
    const consumer = started('consumer');
    const { at } = await consumer.untilSaid('receiving');
    const before = costOf(consumer);
    const sent = await untilTrue(
      async () => {
        const [found] = await stage.sql('SELECT status FROM naive_campaigns WHERE id = $1', [line.id]);
        const now = performance.now();
        consumer.throwIfEnded();
        return found?.status === 'sent' ? now : undefined;
      },
      'the naive consumer comes to an end',
      { withinMs, everyMs: POLL_MS },
    );
    const cost = costSince(consumer, before);
    await consumer.stop();
    const stored = await stage.mongo.collection('naive_messages').countDocuments({ campaign_id: line.id });
    if (stored !== numbers) throw new Error(`the naive consumer stored ${stored} of ${numbers}`);
    return { numbers, publishS: Number(line.publish_ms) / 1_000, drainS: (sent - at) / 1_000, consumer: cost };
  } finally {
    file.remove();
    await stage.channel.deleteQueue(`${stage.env.QUEUE_PREFIX}.naive`);
  }
}
