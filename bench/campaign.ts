import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { chunkMessage, declareMessages, MAX_CHUNK_NUMBERS, messageRange } from '@disparo/contract';
import { createId } from '@paralleldrive/cuid2';
import copy from 'pg-copy-streams';
import { type CampaignRow, chunksOf, insertCampaign } from '../testing/seeds.js';
import { Stage, type StageOptions, TRACEPARENT } from '../testing/stage.js';
import { untilTrue } from '../testing/until.js';

/** The default of `CAMPAIGN_QUEUE_SLOTS`. */
const QUEUE_SLOTS = 500;
/** The text of every campaign here; a usual length. */
export const MESSAGE = 'Olá! Sua fatura deste mês já está disponível no aplicativo. Obrigado por estar conosco.';
/** Messages encoded at a time: 200 of 5,000 numbers are 16 MB. */
const SLICE = 200;
const FASTEST_POLL_MS = 2;
const POLL_MS = 10;
const LARGE = 100_000;
/** The slowest drain that is waited for: a minute to start, then 500 numbers a second. */
const PATIENCE_MS = 60_000;
const PATIENCE_PER_NUMBER_MS = 2;

/** A campaign whose numbers follow from its total, so that none has to be kept. */
export interface BenchCampaign extends CampaignRow {
  chunkSize: number;
}

/**
 * The stage of one measurement, with the collection of the consumers. It has one connection to each store, as ceiling M is
 * that of one client.
 */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const stage = await Stage.open({ prefix: 'bench', connections: 1, ...options });
  await declareMessages(stage.mongo);
  return stage;
}

/** A company and its campaign, pending: the ledger has no chunk of it yet. */
export async function pendingCampaign({ pool }: Stage, total: number, partition = 0): Promise<BenchCampaign> {
  const chunkSize = Math.min(Math.max(Math.ceil(total / QUEUE_SLOTS), 1), MAX_CHUNK_NUMBERS);
  const campaign = { id: createId(), companyId: createId(), message: MESSAGE, total, partition, chunkSize };
  await insertCampaign(pool, campaign);
  return campaign;
}

/** Ceiling C: one COPY of the campaign's rows, made before the clock starts. Returns the seconds until its commit. */
export async function copyChunks({ pool }: Stage, campaign: BenchCampaign): Promise<number> {
  const rows = [...chunksOf(campaign, campaign.chunkSize)].map(({ first_sequence, phone_numbers }) =>
    Buffer.from(`${campaign.id}\t${first_sequence}\t${phone_numbers.length}\t${phone_numbers.join('\\n')}\n`),
  );
  const client = await pool.connect();
  try {
    const begun = performance.now();
    const statement = 'COPY campaign_chunks (campaign_id, first_sequence, size, phone_numbers) FROM STDIN';
    await pipeline(Readable.from(rows), client.query(copy.from(statement)));
    return secondsSince(begun);
  } finally {
    client.release();
  }
}

/** Called before the chunks are published, as a consumer may already store the first of them during the publishing. */
export async function markPublished(stage: Stage, { id }: BenchCampaign): Promise<void> {
  await stage.sql('UPDATE campaign_chunks SET published_at = clock_timestamp() WHERE campaign_id = $1', [id]);
  await stage.sql('UPDATE campaigns SET published = total WHERE id = $1', [id]);
}

/**
 * Ceiling Q: the campaign's chunks, published and confirmed, at most a slice in flight. They are encoded outside of the
 * measured time. Returns the seconds.
 */
export async function publishChunks({ channel, names }: Stage, campaign: BenchCampaign): Promise<number> {
  const key = names.routingKey(campaign.partition ?? 0);
  let seconds = 0;
  for (const slice of slices(chunksOf(campaign, campaign.chunkSize), SLICE)) {
    const bodies = slice.map((chunk) => chunkMessage(chunk, TRACEPARENT));
    const begun = performance.now();
    for (const { content, properties } of bodies)
      if (!channel.publish(names.exchange, key, content, properties)) await once(channel, 'drain');
    await channel.waitForConfirms();
    seconds += secondsSince(begun);
  }
  return seconds;
}

/**
 * Waits until a campaign is `enviado` and returns that time, by `performance.now()`. `alive` throws when waiting is in vain.
 */
export function untilSent(
  { pool }: Stage,
  { id, total }: Pick<BenchCampaign, 'id' | 'total'>,
  alive: () => void,
): Promise<number> {
  const sent = async () => {
    const question = { name: 'status', text: 'SELECT status FROM campaigns WHERE id = $1', values: [id] };
    const { rows } = await pool.query<{ status: string }>(question);
    const now = performance.now();
    if (rows[0]?.status === 'enviado') return now;
    alive();
    return undefined;
  };
  const withinMs = PATIENCE_MS + total * PATIENCE_PER_NUMBER_MS;
  return untilTrue(sent, `a campaign of ${total} is sent`, {
    withinMs,
    everyMs: total < LARGE ? FASTEST_POLL_MS : POLL_MS,
  });
}

/** Throws unless as many documents as numbers are stored: a drain that is fast and wrong does not count. */
export async function requireStored(stage: Stage, { id, total }: Pick<BenchCampaign, 'id' | 'total'>): Promise<void> {
  const found = await stage.messages.countDocuments({ _id: messageRange(id) });
  if (found !== total) throw new Error(`${found} of ${total} documents are stored`);
}

/** The items in order, in arrays of `length`; the last may be shorter. */
export function* slices<T>(items: Iterable<T>, length: number): Generator<T[]> {
  let slice: T[] = [];
  for (const item of items) {
    slice.push(item);
    if (slice.length < length) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

/** Seconds since `begun`, a `performance.now()`. */
export function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1_000;
}
