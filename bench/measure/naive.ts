import { setTimeout as delay } from 'node:timers/promises';
import type { Cost } from '../program.js';
import { Program } from '../program.js';
import type { Room } from '../room.js';
import { numbersFile } from './numbers-file.js';

/** How the naive publisher waits for confirms: for each before the next message, or for all at the end. */
export type Confirm = 'each' | 'end';

/** The naive pair on some numbers. */
export interface NaiveMeasure {
  numbers: number;
  /** From the file to the last confirm, without the start of the process. */
  publishS: number;
  /** From "receiving" to the UPDATE. */
  drainS: number;
  consumer: Cost | undefined;
}

const POLL_MS = 5;
/** The slowest that is still waited for: a start, and 200 numbers a second. */
const PATIENCE_MS = 120_000;
const PATIENCE_PER_NUMBER_MS = 5;

/** Publishes a file of so many numbers and drains them, each by a process of its own. Throws unless all are stored. */
export async function measureNaive(room: Room, numbers: number, confirm: Confirm): Promise<NaiveMeasure> {
  const file = numbersFile(numbers);
  const publisher = Program.script('bench/naive/publisher.js', room.env, [file.path, confirm]);
  let consumer: Program | undefined;
  try {
    const { line } = await publisher.untilSaid('published', patience(numbers));
    consumer = Program.script('bench/naive/consumer.js', room.env);
    const { at } = await consumer.untilSaid('receiving');
    const before = consumer.cost();
    const sent = await untilSent(room, String(line.id), consumer, patience(numbers));
    const after = consumer.cost();
    const stored = await room.mongo.db().collection('naive_messages').countDocuments({ campaign_id: line.id });
    if (stored !== numbers) throw new Error(`the naive consumer stored ${stored} of ${numbers}`);
    const cost = after && { ...after, cpuS: after.cpuS - (before?.cpuS ?? 0) };
    return { numbers, publishS: Number(line.publish_ms) / 1_000, drainS: (sent - at) / 1_000, consumer: cost };
  } finally {
    file.remove();
    await publisher.stop();
    await consumer?.stop();
    await room.channel.deleteQueue(`${room.env.QUEUE_PREFIX}.naive`);
  }
}

function patience(numbers: number): number {
  return PATIENCE_MS + numbers * PATIENCE_PER_NUMBER_MS;
}

async function untilSent(room: Room, id: string, consumer: Program, withinMs: number): Promise<number> {
  for (const deadline = performance.now() + withinMs; ; await delay(POLL_MS)) {
    const { rows } = await room.pool.query('SELECT status FROM naive_campaigns WHERE id = $1', [id]);
    const now = performance.now();
    if (rows[0]?.status === 'sent') return now;
    consumer.throwIfEnded();
    if (now > deadline) throw new Error('the naive consumer does not come to an end');
  }
}
