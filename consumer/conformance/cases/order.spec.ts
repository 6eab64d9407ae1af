import { readdirSync, readFileSync } from 'node:fs';
import { type Chunk, messageId } from '@disparo/contract';
import pg from 'pg';
import { expect } from 'vitest';
import { allNumbers } from '../../../testing/seeds.js';
import { TRACEPARENT } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { type Case, prove } from '../runner/cases.js';

const VALID = new URL('../../contract/examples/valid/', import.meta.url);

/** Texts that some program on the way could take for more than plain characters. */
const TEXTS = [
  {
    name: 'emoji, flags and joined ones',
    text: 'Olá 👨‍👩‍👧‍👦 🇧🇷 🎉 é e\u0301',
    why: 'Thousands of people would get a text with question marks or black boxes, under the name of the company.',
  },
  {
    name: 'quotes, backslashes and line ends',
    text: `"aspas" 'simples' \\ \\n \n\r\n\t \u2028 </script> \${x} %s {{nome}}`,
    why: 'A text that is read as code or as a template on its way is one that a company can attack us with.',
  },
  {
    name: '1,600 letters',
    text: 'ã'.repeat(1_600),
    why: 'The longest text that the API takes would end in the dead-letter queue, where the company cannot see it.',
  },
  {
    name: '1,600 emoji, which are 3,200 UTF-16 units',
    text: '🎉'.repeat(1_600),
    why: 'A language that counts other units than the API refuses a text that another language stores.',
  },
  {
    name: 'control characters other than NUL',
    text: '\u0001\u0007\u001b[31m\u007f\ufeff',
    why: 'A text that changes on its way is not what the company has approved, and no longer equal across languages.',
  },
];

const CHUNK_SIZES = [
  { size: 1, total: 1_203, why: 'The last numbers of a file may be a chunk of one: they would be the ones left out.' },
  { size: 5_000, total: 1_203, why: 'A campaign smaller than a chunk, as most are, would never be complete.' },
  { size: 5_000, total: 12_003, why: 'The edge of 10,000 numbers falls into a chunk: a part of it would be left out.' },
];

prove('what the queue brings, and in which order', [
  ...readdirSync(VALID).map(
    (file): Case => ({
      name: `stores the valid example ${file} as it is written`,
      why: 'A publisher that keeps to the contract would lose a campaign to a language that reads it more narrowly.',
      async run(scope) {
        const stage = await scope.stage();
        const body = readFileSync(new URL(file, VALID));
        const chunk = JSON.parse(body.toString('utf8')) as Chunk;
        const { campaign_id: id, company_id: companyId, first_sequence: first, phone_numbers: numbers } = chunk;
        await stage.seed({ id, companyId, chunks: [chunk] }, chunk.message, numbers.length);
        stage.consumer();
        await stage.publishRaw(body, { contentType: 'application/json', headers: { traceparent: TRACEPARENT } });
        await stage.untilStatus(id, 'enviado');
        const documents = await stage.messages.find().sort({ _id: 1 }).toArray();
        expect(documents).toEqual(
          numbers.map((phone_number, index) => ({
            _id: messageId(id, first + index),
            identifier: expect.any(String),
            phone_number,
            message: chunk.message,
            campaign_id: id,
            company_id: companyId,
            sequence: first + index,
            created_at: expect.any(Date),
            updated_at: expect.any(Date),
            deleted: false,
          })),
        );
      },
    }),
  ),
  ...TEXTS.map(
    ({ name, text, why }): Case => ({
      name: `keeps a text to the last byte: ${name}`,
      why,
      async run(scope) {
        const stage = await scope.stage();
        const { id, chunks } = await stage.campaign(7, 3, text);
        stage.consumer();
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        expect(await stage.messages.distinct('message')).toEqual([text]);
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(7));
      },
    }),
  ),
  ...CHUNK_SIZES.map(
    ({ size, total, why }): Case => ({
      name: `stores chunks of ${size} until ${total} numbers are there`,
      why,
      async run(scope) {
        const stage = await scope.stage();
        const { id, chunks } = await stage.campaign(total, size);
        stage.consumer();
        await stage.publish(chunks);
        await stage.untilStatus(id, 'enviado');
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
        expect(await stage.count()).toBe(total);
      },
    }),
  ),
  {
    name: 'gives every number its own sequence when the chunks come in the wrong order',
    why: 'A retried publish comes late: counted by arrival, two numbers would share an _id and one of them be lost.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(1_203, 7);
      const [odd, even] = [1, 0].map((rest) => chunks.filter((_, index) => index % 2 === rest));
      stage.consumer({ PREFETCH: '9' });
      await stage.publish([...(odd ?? [])].reverse());
      await stage.publish(even ?? []);
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(1_203));
      expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: 1_203, chunks: chunks.length });
      expect(await stage.messages.countDocuments({ sequence: { $type: 'int' } })).toBe(1_203);
    },
  },
  {
    name: 'keeps two interleaved campaigns apart, each in order and with its own text',
    why: 'The customers of one company would get the text of another: the worst that can happen to both.',
    async run(scope) {
      const stage = await scope.stage();
      const [one, two] = [await stage.campaign(1_203, 7), await stage.campaign(901, 4)];
      const longer = Math.max(one.chunks.length, two.chunks.length);
      const mixed = Array.from({ length: longer }, (_, at) => [one.chunks[at], two.chunks[at]]).flat();
      const consumer = stage.consumer({ PREFETCH: '9' });
      await stage.publish(mixed.filter((chunk) => chunk !== undefined));
      for (const { id, companyId, total, chunks } of [
        { ...one, total: 1_203 },
        { ...two, total: 901 },
      ]) {
        await stage.untilStatus(id, 'enviado');
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
        expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: total, chunks: chunks.length });
        const own = { campaign_id: id, company_id: companyId, message: chunks[0]?.message ?? '' };
        expect(await stage.messages.countDocuments(own)).toBe(total);
      }
      expect(await stage.count()).toBe(1_203 + 901);
      await until(() => expect(consumer.sum('stored')).toBe(1_203 + 901));
      const both = consumer.said('batch settled').filter(({ campaigns }) => (campaigns as unknown[]).length === 2);
      expect(both.length, 'batches of both campaigns').toBeGreaterThan(0);
    },
  },
  {
    name: 'holds no more than PREFETCH messages, as the broker counts them',
    why: 'One consumer would hoard the queue: its memory grows, the others idle, and a crash brings everything again.',
    async run(scope) {
      const stage = await scope.stage();
      const campaign = await stage.campaign(100, 5);
      const lock = new pg.Client({ connectionString: stage.env.DATABASE_URL });
      await lock.connect();
      scope.cleaned({ close: () => lock.end() });
      await lock.query('BEGIN');
      await lock.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [campaign.id]);
      await stage.publish(campaign.chunks);
      stage.consumer({ PREFETCH: '7' });
      // A batch waits in step 5 and nothing is acknowledged: the consumer holds every message that is not ready.
      await until(async () => {
        const { rowCount } = await stage.pool.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        expect(rowCount).toBe(1);
      });
      await until(async () => expect(await stage.ready()).toBe(20 - 7));
      await stage.publish(campaign.chunks.slice(0, 5));
      expect(await stage.ready()).toBe(20 - 7 + 5);
      await lock.query('COMMIT');
      await stage.untilStatus(campaign.id, 'enviado');
      await until(async () => expect(await stage.ready()).toBe(0));
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(100));
    },
  },
]);
