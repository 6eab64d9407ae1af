import { randomBytes } from 'node:crypto';
import type { LanguageName } from '@disparo/contract/languages';
import { Client } from '../../infra/local/demo/client.js';
import { untilHealthy } from '../../infra/local/supervise/offline.js';
import { freePort } from '../../services/ports.js';
import { Process } from '../../testing/process.js';
import type { Stage } from '../../testing/stage.js';
import { untilTrue } from '../../testing/until.js';
import { MESSAGE, requireStored, secondsSince, untilSent } from '../campaign.js';
import { costOf, resetPeak } from '../cost.js';
import { numbersFile } from './numbers-file.js';

const HOST = '127.0.0.1';
const WARM_UP = 5;
const STARTED_MS = 60_000;
const CONFIRMED_MS = 300_000;

/** One POST /api/campaigns on a plain server, without a consumer. */
export interface UploadMeasure {
  numbers: number;
  /** From the first byte of the request to its answer. */
  answerS: number;
  /** From the first byte until the broker has confirmed the last chunk, by the time in the ledger. */
  confirmedS: number;
  memory: ApiMemory | undefined;
}

/** From the first byte of an upload to `enviado`. */
export interface EndToEndMeasure {
  language: LanguageName;
  numbers: number;
  sentS: number;
  memory: ApiMemory | undefined;
}

/** Memory of the API's process: at rest before the upload, and the most during it. */
interface ApiMemory {
  idleMb: number;
  peakMb: number;
}

/** Measures one upload on a new server that has already taken an upload of five numbers. */
export async function measureUpload(stage: Stage, numbers: number): Promise<UploadMeasure> {
  return withApi(stage, async ({ upload, memory }) => {
    const { begunAt, answerS, id } = await upload(numbers);
    const confirmedS = (await confirmedAt(stage, id)) - begunAt;
    return { numbers, answerS, confirmedS, memory: memory() };
  });
}

/** Measures one upload while a consumer is ready, until the campaign is `enviado`. Throws unless all is stored. */
export async function measureEndToEnd(stage: Stage, language: LanguageName, numbers: number): Promise<EndToEndMeasure> {
  return withApi(stage, async ({ upload, memory, api }) => {
    const consumer = stage.consumer({}, language);
    await consumer.untilSaid('receiving', STARTED_MS);
    const { begun, id } = await upload(numbers);
    const alive = () => {
      consumer.throwIfEnded();
      api.throwIfEnded();
    };
    const sent = await untilSent(stage, { id, total: numbers }, alive);
    const used = memory();
    await requireStored(stage, { id, total: numbers });
    return { language, numbers, sentS: (sent - begun) / 1_000, memory: used };
  });
}

/** A running server, and a client that has logged in there. */
interface Api {
  api: Process;
  base: string;
  client: Client;
  /** Uploads a file of `numbers` numbers. `begun` is by `performance.now()`, `begunAt` in seconds since 1970. */
  upload(numbers: number): Promise<{ id: string; begun: number; begunAt: number; answerS: number }>;
  memory(): ApiMemory | undefined;
}

/** Does `work` with a new server that has already taken an upload of five numbers. */
export async function withApi<T>(stage: Stage, work: (api: Api) => Promise<T>): Promise<T> {
  const port = await freePort();
  const env = { ...stage.env, API_HOST: HOST, API_PORT: String(port), JWT_SECRET: randomBytes(32).toString('hex') };
  const api = stage.with(Process.script('bundle/server.js', { env }));
  try {
    await api.untilSaid('ready', STARTED_MS);
    const base = `http://${HOST}:${port}`;
    await untilHealthy(base);
    const client = new Client(base);
    await client.enter();
    await uploaded(client, WARM_UP);
    let idleMb: number | undefined;
    return await work({
      api,
      base,
      client,
      async upload(numbers) {
        resetPeak(api);
        idleMb = costOf(api)?.rssMb;
        return uploaded(client, numbers);
      },
      memory() {
        const peakMb = costOf(api)?.peakMb;
        return idleMb === undefined || peakMb === undefined ? undefined : { idleMb, peakMb };
      },
    });
  } finally {
    await api.stop();
  }
}

async function uploaded(client: Client, numbers: number) {
  const { remove, ...file } = numbersFile(numbers);
  try {
    const [begun, begunAt] = [performance.now(), Date.now() / 1_000];
    const { campaign } = await client.upload({ ...file, name: 'Bench', message: MESSAGE }, () => {});
    return { id: campaign.id, begun, begunAt, answerS: secondsSince(begun) };
  } finally {
    remove();
  }
}

/** When the last chunk was stamped as confirmed, in seconds since 1970. PostgreSQL has the clock of this machine. */
async function confirmedAt(stage: Stage, id: string): Promise<number> {
  const confirmed = async () => {
    const [found] = await stage.sql<{ at: number }>(
      `SELECT extract(epoch FROM (SELECT max(published_at) FROM campaign_chunks WHERE campaign_id = id))::float8 AS at
         FROM campaigns WHERE id = $1 AND published = total`,
      [id],
    );
    return found?.at;
  };
  return untilTrue(confirmed, 'an upload is confirmed', { withinMs: CONFIRMED_MS });
}
