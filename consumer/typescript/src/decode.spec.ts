import { readdirSync, readFileSync } from 'node:fs';
import { MAX_CHUNK_BYTES } from '@disparo/contract';
import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { Delivery, decode, decodeBody } from './decode.js';

const EXAMPLES = new URL('../../contract/examples/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, EXAMPLES));
const REASONS = JSON.parse(read('invalid/reasons.json').toString()) as Record<string, string>;
const DETAILS = JSON.parse(read('details.json').toString()) as Record<string, string>;
const invalid = readdirSync(new URL('invalid/', EXAMPLES)).filter((file) => file !== 'reasons.json');
const delivery = (content: Buffer) => new Delivery({ content } as ConsumeMessage);

describe('step 2: bytes become a chunk or are malformed', () => {
  it.each(readdirSync(new URL('valid/', EXAMPLES)))('takes valid/%s', (file) => {
    const body = read(`valid/${file}`);
    expect(decodeBody(body)).toEqual(JSON.parse(body.toString()));
  });

  it('has a reason for each invalid example, and an example for each reason', () => {
    expect(invalid.sort()).toEqual(Object.keys(REASONS).sort());
  });

  it.each(invalid)('refuses invalid/%s with its documented reason and detail', (file) => {
    expect(decodeBody(read(`invalid/${file}`))).toEqual({ reason: REASONS[file], detail: DETAILS[file] });
  });

  it('takes a body of exactly the limit, and calls one byte more too large, whatever it holds', () => {
    const body = read('valid/one-number.json');
    const full = Buffer.concat([body, Buffer.alloc(MAX_CHUNK_BYTES - body.length, ' ')]);
    expect(decodeBody(full)).toEqual(JSON.parse(body.toString()));
    const tooLarge = { reason: 'too_large', detail: 'max_bytes' };
    expect(decodeBody(Buffer.concat([full, Buffer.from(' ')]))).toEqual(tooLarge);
    expect(decodeBody(Buffer.alloc(MAX_CHUNK_BYTES + 1, 0xff))).toEqual(tooLarge);
  });

  it('looks for the version before the rest of the schema', () => {
    expect(decodeBody(Buffer.from('{"version": 2}'))).toMatchObject({ reason: 'unknown_version' });
    expect(decodeBody(Buffer.from('{"version": 1.0}'))).toMatchObject({ reason: 'schema_violation' });
    expect(decodeBody(Buffer.from('{"version": 1.5}'))).toMatchObject({ reason: 'schema_violation' });
  });

  it('is no chunk because it has fields named like those of a dead letter', () => {
    const chunk = { ...JSON.parse(read('valid/one-number.json').toString()), reason: 'a', detail: 'b' };
    expect(decode([delivery(Buffer.from(JSON.stringify(chunk)))])).toMatchObject({
      chunks: [{ chunk }],
      malformed: new Map(),
    });
  });

  it('splits deliveries in their order and decodes each body once', () => {
    const [one, bad, five] = ['valid/one-number.json', 'invalid/null.json', 'valid/five-numbers-in-the-middle.json']
      .map(read)
      .map(delivery);
    if (!one || !bad || !five) throw new Error('three');
    const { chunks, malformed } = decode([one, bad, five]);
    expect(chunks.map((at) => at.delivery)).toEqual([one, five]);
    expect([...malformed.keys()]).toEqual([bad]);
    expect([one, bad, five].map(({ numbers }) => numbers)).toEqual([1, 0, 5]);
    expect(one.decoded).toBe(chunks[0]?.chunk);
  });
});
