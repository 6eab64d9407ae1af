import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MESSAGES, type MessageDocument } from '@disparo/contract';
import type { LanguageName } from '@disparo/contract/languages';
import { type Collection, MongoClient } from 'mongodb';
import type pg from 'pg';
import { expect } from 'vitest';
import type { Variable } from '../../../../services/names.js';
import { freePort } from '../../../../services/ports.js';
import { quietPool } from '../../../../testing/databases.js';
import { Process } from '../../../../testing/process.js';
import { PATIENCE_MS } from '../../../../testing/until.js';
import { type Upload, User, uploadOf } from '../user.js';
import { exactly, type Verdict, verdict } from '../verdict.js';

const SEED = 1;
const TOTAL = 20_000;
/** So many chunks that a drain takes long enough to be hit in its middle. */
const SLOTS = 1_000;
const PREFETCH = 2;
const CONSUMERS = 2;
const POLL_MS = 50;
/** Numbers of an upload while something fails. */
const SMALL = 200;
/** A drain that has not ended by then is stuck. */
const PATIENCE_FOR_SENT_MS = 180_000;
const API = 'bundle/server.js';

/** The plain server and two consumers on the services of a case, a campaign of 20,000, and a user who sends more. */
export class Trial {
  readonly #accepted: { id: string; upload: Upload }[] = [];

  private constructor(
    readonly pool: pg.Pool,
    private readonly mongo: MongoClient,
    private readonly api: Process,
    private readonly consumers: Process[],
    private readonly user: Promise<User>,
    readonly folder: string,
    private readonly over: AbortController,
  ) {}

  static async open(
    language: LanguageName,
    urls: Record<Variable, string>,
    more: Record<string, string>,
  ): Promise<Trial> {
    const port = await freePort();
    const env = { ...urls, CAMPAIGN_QUEUE_SLOTS: String(SLOTS), PREFETCH: String(PREFETCH), ...more };
    const folder = mkdtempSync(join(tmpdir(), 'disparo-cluster-'));
    const secret = { API_PORT: String(port), JWT_SECRET: 'a secret of the trial, which is long enough' };
    const api = Process.script(API, { env: { ...env, ...secret }, log: join(folder, 'api.log') });
    const consumers = Array.from({ length: CONSUMERS }, (_, which) =>
      Process.consumer(language, { env, log: join(folder, `consumer-${which}.log`) }),
    );
    const pool = quietPool({ connectionString: urls.DATABASE_URL, max: 2, connectionTimeoutMillis: PATIENCE_MS });
    const mongo = new MongoClient(urls.MONGODB_URL, { serverSelectionTimeoutMS: PATIENCE_MS });
    const over = new AbortController();
    const user = User.register(`http://127.0.0.1:${port}`, over.signal);
    // Awaited where it is needed.
    user.catch(() => {});
    return new Trial(pool, mongo, api, consumers, user, folder, over);
  }

  get messages(): Collection<MessageDocument> {
    return this.mongo.db().collection(MESSAGES);
  }

  /** Waits until the API answers and the user is logged in with a company. */
  async untilReady(): Promise<void> {
    await this.user;
  }

  /** Sends a campaign, and waits until a tenth of it is stored. */
  async untilDraining(): Promise<void> {
    const { id } = await this.#send(TOTAL);
    await this.#until(id, ({ stored }) => stored >= TOTAL / 10);
  }

  /** Sends small campaigns one after the other, until told to stop. */
  async sendUntil(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) await this.#send(SMALL);
  }

  /** Waits until every campaign that was accepted is `enviado`. */
  async untilSent(): Promise<void> {
    for (const { id } of this.#accepted) await this.#until(id, ({ status }) => status === 'enviado');
  }

  /** Throws unless each number is one document in its place, the ledger agrees, and no process has ended. Ends them. */
  async judge(): Promise<void> {
    const user = await this.user;
    const found: Record<string, Verdict> = {};
    for (const { id, upload } of this.#accepted) found[upload.name] = await verdict(this, user, id, upload);
    expect(found).toEqual(Object.fromEntries(this.#accepted.map(({ upload }) => [upload.name, exactly(upload)])));
    expect((await user.campaignIds()).sort()).toEqual(this.#accepted.map(({ id }) => id).sort());
    const total = this.#accepted.reduce((sum, { upload }) => sum + upload.numbers.length, 0);
    expect(await this.messages.countDocuments(), 'documents').toBe(total);
    expect(await this.#end(), 'processes that nobody had killed').toEqual([
      'killed by us',
      'killed by us',
      'killed by us',
    ]);
  }

  /** Ends everything. Keeps the output of the processes in `folder`, unless all is well. */
  async close(well: boolean): Promise<void> {
    this.over.abort();
    await this.user.catch(() => {});
    await this.#end();
    await this.pool.end();
    await this.mongo.close();
    if (well) rmSync(this.folder, { recursive: true });
  }

  #end(): Promise<string[]> {
    return Promise.all([this.api, ...this.consumers].map((one) => one.kill()));
  }

  async #send(total: number): Promise<{ id: string }> {
    const upload = uploadOf(SEED, this.#accepted.length, total);
    const { id } = await (await this.user).send(upload);
    this.#accepted.push({ id, upload });
    return { id };
  }

  async #until(id: string, met: (campaign: { status: string; stored: number }) => boolean): Promise<void> {
    const user = await this.user;
    for (const deadline = performance.now() + PATIENCE_FOR_SENT_MS; ; await delay(POLL_MS)) {
      const campaign = await user.campaign(id);
      if (met(campaign)) return;
      if (performance.now() > deadline)
        throw new Error(`stuck: ${campaign.status}, ${campaign.stored} stored of ${campaign.total}`);
    }
  }
}
