import { existsSync } from 'node:fs';
import { MESSAGES } from '@disparo/contract';
import type { Document } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '../runner/languages.js';
import { allNumbers, Stage } from '../runner/stage.js';
import { PATIENCE_MS, until, untilAtLeast } from '../runner/until.js';

const TOTAL = 10_000;
const PAIRS = LANGUAGE_NAMES.flatMap((one) =>
  LANGUAGE_NAMES.filter((other) => other !== one).map((other) => [one, other] as const),
);

describe('several languages on one queue', { timeout: 3 * PATIENCE_MS }, () => {
  let stage: Stage;
  beforeEach(async () => {
    for (const { binary } of Object.values(LANGUAGES)) expect(existsSync(binary), `${binary} is not built`).toBe(true);
    stage = await Stage.open({ declared: false });
  }, PATIENCE_MS);
  afterEach(() => stage.close(), PATIENCE_MS);

  async function receiving(language: LanguageName, env: Record<string, string> = {}) {
    const consumer = stage.start(env, language);
    await consumer.untilSaid('receiving');
    return consumer;
  }

  it.each(LANGUAGE_NAMES)('what %s declares, every other accepts, on the broker and in the store', async (first) => {
    await (await receiving(first)).kill();
    const made = await collection();
    for (const other of LANGUAGE_NAMES) {
      const consumer = await receiving(other);
      consumer.signal('SIGTERM');
      expect(await consumer.exit(), consumer.everything).toBe(0);
      expect(await collection(), `the collection of ${first} after ${other}`).toEqual(made);
    }
  });

  it.each(PAIRS)('%s is killed in the middle, %s goes on where it stood', async (active, waiting) => {
    const killed = await receiving(active, { PREFETCH: '2' });
    const survivor = await receiving(waiting, { PREFETCH: '2' });
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    await untilAtLeast(TOTAL / 10, () => stage.count());
    expect(survivor.said('batch settled')).toEqual([]);
    await killed.kill();
    expect((await stage.ledger(id)).status, 'killed in the middle').toBe('enviando');
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
    expect(await stage.count()).toBe(TOTAL);
    expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: TOTAL, chunks: TOTAL / 100 });
    await until(() => expect(survivor.sum('stored')).toBeGreaterThan(0));
    await until(async () => expect(await stage.ready()).toBe(0));
  });

  it('languages change nine times within a campaign, by drain and by SIGKILL, and every number is stored once', async () => {
    await (await receiving('typescript')).kill();
    const { id, chunks } = await stage.campaign(2 * TOTAL, 100);
    await stage.publish(chunks);
    for (let turn = 0; turn < 9; turn++) {
      const language = LANGUAGE_NAMES[turn % LANGUAGE_NAMES.length] ?? 'typescript';
      const consumer = stage.start({ PREFETCH: '2' }, language);
      await untilAtLeast((2 * TOTAL * (turn + 1)) / 11, () => stage.count());
      if (turn % 2 === 1) await consumer.kill();
      else {
        consumer.signal('SIGTERM');
        expect(await consumer.exit(), language).toBe(0);
      }
      expect((await stage.ledger(id)).status, `after turn ${turn}`).toBe('enviando');
    }
    stage.start({}, 'go');
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(2 * TOTAL));
    expect(await stage.count()).toBe(2 * TOTAL);
    expect(await stage.messages.distinct('identifier')).toHaveLength(2 * TOTAL);
    expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: 2 * TOTAL, chunks: (2 * TOTAL) / 100 });
  });

  it('all three at once on three partitions, three campaigns, none loses or doubles a number', async () => {
    await stage.close();
    stage = await Stage.open({ partitions: 3 });
    for (const language of LANGUAGE_NAMES) await receiving(language, { PREFETCH: '6' });
    const campaigns = [
      await stage.campaign(2_000, 50),
      await stage.campaign(2_000, 50),
      await stage.campaign(2_000, 50),
    ];
    await Promise.all(campaigns.map(({ chunks }, partition) => stage.publish(chunks, partition)));
    for (const { id } of campaigns) {
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(2_000));
    }
    expect(await stage.count()).toBe(6_000);
  });

  it('documents are alike field by field and type by type', async () => {
    const text = `"Olá", 'mundo' \\ 🎉🇧🇷\n`;
    const written: Record<string, Document[]> = {};
    for (const language of LANGUAGE_NAMES) {
      const consumer = await receiving(language);
      const { id, companyId, chunks } = await stage.campaign(3, 2, text);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');
      await consumer.kill();
      written[language] = await shapes(id, companyId);
    }
    const [typescript, ...others] = Object.values(written);
    expect(typescript).toHaveLength(3);
    expect(typescript?.[0]).toEqual([
      ['_id', 'string', 'CAMPAIGN:000000001'],
      ['identifier', 'string', '24 letters and digits'],
      ['phone_number', 'string', '+5511900000001'],
      ['message', 'string', text],
      ['campaign_id', 'string', 'CAMPAIGN'],
      ['company_id', 'string', 'COMPANY'],
      ['sequence', 'int', 1],
      ['created_at', 'date', 'the same as updated_at'],
      ['updated_at', 'date', 'the same as created_at'],
      ['deleted', 'bool', false],
    ]);
    for (const other of others) expect(other).toEqual(typescript);
  });

  /** Options and indexes; the two that mongod writes out as soon as a validator is set again are its defaults. */
  async function collection(): Promise<Document> {
    const [found] = await stage.mongo.db().listCollections({ name: MESSAGES }).toArray();
    const options = (found as Document | undefined)?.options;
    return {
      options: { validationLevel: 'strict', validationAction: 'error', ...options },
      indexes: await stage.messages.indexes(),
    };
  }

  /** Each document as a list of field, BSON type as the server names it, and value; in the order in which it is stored. */
  async function shapes(id: string, companyId: string): Promise<Document[]> {
    const field = { name: '$$pair.k', type: { $type: '$$pair.v' }, value: '$$pair.v' };
    const documents = await stage.messages
      .aggregate<{ pairs: { name: string; type: string; value: unknown }[]; even: boolean }>([
        { $match: { campaign_id: id } },
        { $sort: { _id: 1 } },
        {
          $project: {
            _id: 0,
            even: { $eq: ['$created_at', '$updated_at'] },
            pairs: { $map: { input: { $objectToArray: '$$ROOT' }, as: 'pair', in: field } },
          },
        },
      ])
      .toArray();
    return documents.map(({ pairs, even }) => {
      const normal: Record<string, (value: unknown) => unknown> = {
        _id: (value) => String(value).replace(id, 'CAMPAIGN'),
        campaign_id: (value) => (value === id ? 'CAMPAIGN' : value),
        company_id: (value) => (value === companyId ? 'COMPANY' : value),
        identifier: (value) => (/^[a-z][a-z0-9]{23}$/.test(String(value)) ? '24 letters and digits' : value),
        created_at: (value) => (even ? 'the same as updated_at' : value),
        updated_at: (value) => (even ? 'the same as created_at' : value),
      };
      return pairs.map(({ name, type, value }) => [name, type, normal[name]?.(value) ?? value]);
    });
  }
});
