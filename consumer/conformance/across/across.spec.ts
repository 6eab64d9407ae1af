import { existsSync } from 'node:fs';
import { MESSAGES } from '@disparo/contract';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import type { Document } from 'mongodb';
import { expect } from 'vitest';
import { freePort } from '../../../services/ports.js';
import { type LogLine, type Process } from '../../../testing/process.js';
import { allNumbers, type Campaign } from '../../../testing/seeds.js';
import { type Stage, type StageOptions, TRACEPARENT } from '../../../testing/stage.js';
import { until, untilAtLeast } from '../../../testing/until.js';
import { type Case, prove, type Scope } from '../runner/cases.js';

const TOTAL = 10_000;
const PAIRS = LANGUAGE_NAMES.flatMap((one) =>
  LANGUAGE_NAMES.filter((other) => other !== one).map((other) => [one, other] as const),
);

prove('several languages on one queue', [
  ...LANGUAGE_NAMES.map(
    (first): Case => ({
      name: `what ${first} declares, every other accepts, on the broker and in the store`,
      why: 'A deploy of another language would not start, or would rebuild the indexes of millions of documents.',
      async run(scope) {
        const stage = await stageOfAll(scope);
        await (await receiving(stage, first)).kill();
        const made = await collection(stage);
        for (const other of LANGUAGE_NAMES) {
          const consumer = await receiving(stage, other);
          consumer.signal('SIGTERM');
          expect(await consumer.exit(), consumer.everything).toBe(0);
          expect(await collection(stage), `the collection of ${first} after ${other}`).toEqual(made);
        }
      },
    }),
  ),
  ...PAIRS.map(
    ([active, waiting]): Case => ({
      name: `${active} is killed in the middle, ${waiting} goes on where it stood`,
      why: 'An installation that changes its language would send some numbers of a running campaign twice, or never.',
      async run(scope) {
        const stage = await stageOfAll(scope);
        const killed = await receiving(stage, active, { PREFETCH: '2' });
        const survivor = await started(stage, waiting, 'standing by', { PREFETCH: '2' });
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
      },
    }),
  ),
  {
    // By drain and by SIGKILL in turn.
    name: 'languages change nine times within a campaign, and every number is stored once',
    why: 'Two languages that understand the ledger in two ways show it where one takes over what the other left half done.',
    async run(scope) {
      const stage = await stageOfAll(scope);
      await (await receiving(stage, 'typescript')).kill();
      const { id, chunks } = await stage.campaign(2 * TOTAL, 100);
      await stage.publish(chunks);
      for (let turn = 0; turn < 9; turn++) {
        const language = LANGUAGE_NAMES[turn % LANGUAGE_NAMES.length] ?? 'typescript';
        const consumer = stage.consumer({ PREFETCH: '2' }, language);
        await untilAtLeast((2 * TOTAL * (turn + 1)) / 11, () => stage.count());
        if (turn % 2 === 1) await consumer.kill();
        else {
          consumer.signal('SIGTERM');
          expect(await consumer.exit(), language).toBe(0);
        }
        expect((await stage.ledger(id)).status, `after turn ${turn}`).toBe('enviando');
      }
      stage.consumer({}, 'go');
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(2 * TOTAL));
      expect(await stage.count()).toBe(2 * TOTAL);
      expect(await stage.messages.distinct('identifier')).toHaveLength(2 * TOTAL);
      expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: 2 * TOTAL, chunks: (2 * TOTAL) / 100 });
    },
  },
  {
    name: 'all three at once on three partitions, three campaigns, none loses or doubles a number',
    why: 'During a deploy old and new run side by side: companies would pay for what two of them stored.',
    async run(scope) {
      const stage = await stageOfAll(scope, { partitions: 3 });
      for (const [index, language] of LANGUAGE_NAMES.entries())
        await started(stage, language, index === 0 ? 'receiving' : 'standing by', { PREFETCH: '6' });
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
    },
  },
  {
    name: 'documents are alike field by field and type by type',
    why: 'Whoever reads the collection would need a reader for each language that ever wrote into it.',
    async run(scope) {
      const stage = await stageOfAll(scope);
      const text = `"Olá", 'mundo' \\ 🎉🇧🇷\n`;
      const written: Record<string, Document[]> = {};
      for (const language of LANGUAGE_NAMES) {
        const consumer = await receiving(stage, language);
        const { id, companyId, chunks } = await stage.campaign(3, 2, text);
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        await consumer.kill();
        written[language] = await shapes(stage, id, companyId);
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
    },
  },
  {
    name: 'log lines are alike field by field and type by type, from the first to the last',
    why: 'An alarm or a dashboard that an operator has built on one language would be silent for another.',
    async run(scope) {
      const stage = await stageOfAll(scope);
      const said: Record<string, unknown[]> = {};
      for (const language of LANGUAGE_NAMES) {
        const consumer = await receiving(stage, language);
        const { id } = await work(stage, consumer);
        consumer.signal('SIGTERM');
        expect(await consumer.exit(), consumer.everything).toBe(0);
        expect(consumer.lines.map(({ name }) => name)).toEqual(consumer.lines.map(() => `consumer-${language}`));
        said[language] = consumer.lines.map((line) => withoutWhatVaries(line, id));
      }
      const queue = stage.names.queue(0);
      const any = { time: '0000-00-00T00:00:00.000Z', pid: 'number', hostname: expect.any(String), level: 30 };
      const settled = {
        ...{ ...any, msg: 'batch settled', queue, messages: 1, stored: 0, repeated: 0, let_go: 0, dead: 0 },
        ...{ gather_ms: 'number', admit_ms: 'number', store_ms: 'number', record_ms: 'number', settle_ms: 'number' },
        ...{ campaigns: [], traceparents: [TRACEPARENT] },
      };
      const enviado = { id: 'CAMPAIGN', status: 'enviado', stored: 5, total: 5 };
      const [typescript, ...others] = Object.values(said);
      expect(typescript).toEqual([
        { ...any, msg: 'receiving', queues: [queue], prefetch_each: 250 },
        { ...settled, stored: 5, campaigns: [enviado] },
        { ...settled, repeated: 1 },
        { ...any, level: 40, msg: 'dead letter', queue, reason: 'not_json', detail: 'json' },
        { ...settled, dead: 1, traceparents: [] },
        { ...any, msg: 'drained' },
      ]);
      for (const other of others) expect(other).toEqual(typescript);
    },
  },
  {
    name: 'metrics are alike in names, types, help texts and labels, and count the same work alike',
    why: 'Two languages side by side could not be summed up in one panel, and a change of language would break alarms.',
    async run(scope) {
      const stage = await stageOfAll(scope);
      const served: Record<string, string[]> = {};
      for (const language of LANGUAGE_NAMES) {
        const port = await freePort();
        const consumer = await receiving(stage, language, { METRICS_PORT: String(port) });
        await work(stage, consumer);
        served[language] = await until(async () => {
          const found = await metrics(port);
          expect(found).toContain('disparo_consumer_batch_seconds_count 3');
          return found;
        });
        await consumer.kill();
      }
      const [typescript, ...others] = Object.values(served);
      expect(typescript?.filter((line) => line.startsWith('# TYPE'))).toEqual([
        '# TYPE disparo_consumer_batch_seconds histogram',
        '# TYPE disparo_consumer_batches_total counter',
        '# TYPE disparo_consumer_dead_letters_total counter',
        '# TYPE disparo_consumer_deliveries_total counter',
        '# TYPE disparo_consumer_let_go_total counter',
        '# TYPE disparo_consumer_messages_stored_total counter',
        '# TYPE disparo_consumer_repeated_total counter',
        '# TYPE disparo_consumer_store_retries_total counter',
      ]);
      for (const other of others) expect(other).toEqual(typescript);
    },
  },
]);

/**
 * A stage of the case's own. Unless `options` say otherwise, the first consumer on it makes the topology. Fails unless every
 * language is built.
 */
async function stageOfAll(scope: Scope, options: StageOptions = { declared: false }): Promise<Stage> {
  for (const { binary } of Object.values(LANGUAGES)) expect(existsSync(binary), `${binary} is not built`).toBe(true);
  return scope.stage(options);
}

function receiving(stage: Stage, language: LanguageName, env: Record<string, string> = {}): Promise<Process> {
  return started(stage, language, 'receiving', env);
}

/** Starts a consumer and waits until it has said that it is receiving or standing by. */
async function started(
  stage: Stage,
  language: LanguageName,
  says: 'receiving' | 'standing by',
  env: Record<string, string>,
): Promise<Process> {
  const consumer = stage.consumer(env, language);
  await consumer.untilSaid(says);
  return consumer;
}

/** Three batches, one after the other: a campaign of five numbers, the same again, and bytes that are no JSON. */
async function work(stage: Stage, consumer: Process): Promise<Campaign> {
  const campaign = await stage.campaign(5);
  const settled = (count: number) => until(() => expect(consumer.said('batch settled')).toHaveLength(count));
  await stage.publish(campaign.chunks);
  await settled(1);
  await stage.publish(campaign.chunks);
  await settled(2);
  await stage.publishRaw(Buffer.from('{'), {});
  await settled(3);
  return campaign;
}

/** The line without its `name`. The campaign's id and the values that differ each time are replaced. */
function withoutWhatVaries({ name: _, ...line }: LogLine, id: string): unknown {
  const fields = Object.entries(line).map(([field, value]) => {
    if (field === 'pid' || field.endsWith('_ms')) return [field, typeof value];
    if (field === 'time') return [field, String(value).replace(/\d/g, '0')];
    return [field, value];
  });
  return JSON.parse(JSON.stringify(Object.fromEntries(fields)).replaceAll(id, 'CAMPAIGN'));
}

/**
 * Every line of /metrics with its labels sorted; the values of buckets and sums, which are times, are replaced. The lines
 * are sorted, as a registry may write them in any order.
 */
async function metrics(port: number): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === undefined) return line;
      const sorted = labels.match(/\w+="[^"]*"/g)?.sort() ?? [];
      return `${name}${sorted.length > 0 ? `{${sorted}}` : ''} ${/_(bucket|sum)$/.test(name) ? 'varies' : value}`;
    })
    .sort();
}

/** Options and indexes. Two options with their defaults are added: mongod lists them only once a validator is set again. */
async function collection(stage: Stage): Promise<Document> {
  const [found] = await stage.mongo.listCollections({ name: MESSAGES }).toArray();
  const options = (found as Document | undefined)?.options;
  return {
    options: { validationLevel: 'strict', validationAction: 'error', ...options },
    indexes: await stage.messages.indexes(),
  };
}

/** Each document as a list of field, BSON type (the server's name for it) and value, in the stored order. */
async function shapes(stage: Stage, id: string, companyId: string): Promise<Document[]> {
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
