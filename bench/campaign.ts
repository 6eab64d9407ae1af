import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { chunkMessage, declareMessages, MAX_CHUNK_NUMBERS, messageRange } from '@disparo/contract';
import { createId } from '@paralleldrive/cuid2';
import copy from 'pg-copy-streams';
import { type CampaignRow, chunksOf, insertCampaign } from '../testing/seeds.js';
import { Stage, type StageOptions, TRACEPARENT } from '../testing/stage.js';
import { untilTrue } from '../testing/until.js';

/** As `CAMPAIGN_QUEUE_SLOTS`, unless somebody changes it. */
const QUEUE_SLOTS = 500;
/** The text of every campaign here; a usual length. */
export const MESSAGE = 'Olá! Sua fatura deste mês já está disponível no aplicativo. Obrigado por estar conosco.';
/** Messages encoded at a time: 200 of 5,000 numbers are 16 MB. */
const SLICE = 200;
const FASTEST_POLL_MS = 2;
const POLL_MS = 10;
const LARGE = 100_000;
/** The slowest that is still waited for: a start, and 500 numbers a second. */
const PATIENCE_MS = 60_000;
const PATIENCE_PER_NUMBER_MS = 2;

/** A campaign whose numbers follow from its total, so that none has to be kept. */
export interface BenchCampaign extends CampaignRow {
  chunkSize: number;
}

/** The stage of one measurement, with the collection of the consumers. One connection: what is inserted here is a ceiling of one client. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const stage = await Stage.open({ prefix: 'bench', connections: 1, ...options });
  await declareMessages(stage.mongo);
  return stage;
}

/** A company and its campaign, pending: not a chunk is in the ledger yet. */
export async function pendingCampaign({ pool }: Stage, total: number, partition = 0): Promise<BenchCampaign> {
  const chunkSize = Math.min(Math.max(Math.ceil(total / QUEUE_SLOTS), 1), MAX_CHUNK_NUMBERS);
  const campaign = { id: createId(), companyId: createId(), message: MESSAGE, total, partition, chunkSize };
  await insertCampaign(pool, campaign);
  return campaign;
}

/** Ceiling C: one COPY of the campaign's rows, which are made before. Returns the seconds until its commit. */
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

/** Before they are published, as a consumer may be at work on them while they are. */
export async function markPublished(stage: Stage, { id }: BenchCampaign): Promise<void> {
  await stage.sql('UPDATE campaign_chunks SET published_at = clock_timestamp() WHERE campaign_id = $1', [id]);
  await stage.sql('UPDATE campaigns SET published = total WHERE id = $1', [id]);
}

/** Ceiling Q: the campaign's chunks, encoded before, published and confirmed; never more in flight than a slice. */
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

/** Waits until a campaign is `enviado`; returns when, by `performance.now()`. `alive` throws when it is in vain. */
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

/** Throws unless each number of the campaign is stored exactly once: what is fast and wrong is not measured. */
export async function requireStored(stage: Stage, { id, total }: Pick<BenchCampaign, 'id' | 'total'>): Promise<void> {
  const found = await stage.messages.countDocuments({ _id: messageRange(id) });
  if (found !== total) throw new Error(`${found} of ${total} documents are stored`);
}

/** Some at a time, in order. */
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

/** Seconds since a `performance.now()`. */
export function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1_000;
}
