import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type Chunk,
  chunkFault,
  chunkMessage,
  chunkMessageOfLines,
  MAX_CHUNK_BYTES,
  MAX_CHUNK_NUMBERS,
} from './chunk.js';

const examples = new URL('../examples/', import.meta.url);
const json = (path: string) => JSON.parse(readFileSync(new URL(path, examples), 'utf8'));
const reasons: Record<string, string> = json('invalid/reasons.json');
const details: Record<string, string> = json('details.json');

describe('every valid example is a chunk', () => {
  test.each(readdirSync(new URL('valid', examples)))('%s', (name) => {
    expect(chunkFault(json(`valid/${name}`))).toBeUndefined();
  });
});

describe('every example that breaks the schema is refused by it, with its code and path', () => {
  // A lone surrogate is a string to JSON Schema; the decoders look for it themselves.
  const broken = Object.keys(reasons).filter(
    (name) => reasons[name] === 'schema_violation' && name !== 'text-with-a-lone-surrogate.json',
  );
  test.each(broken)('%s', (name) => {
    expect(chunkFault(json(`invalid/${name}`))).toBe(details[name]);
  });
});

test('every invalid example has its reason and its detail written down', () => {
  const files = readdirSync(new URL('invalid', examples)).filter((name) => name !== 'reasons.json');
  expect(files.sort()).toEqual(Object.keys(reasons).sort());
  expect(files.sort()).toEqual(Object.keys(details).sort());
});

test('consumer/README.md lists each reason with its codes', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, table = ''] = /### What `detail` says(.*?)\n### /s.exec(readme) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, reason, codes]) => [
    reason,
    [...(codes ?? '').matchAll(/`(\w+)`/g)].map(([, code]) => code),
  ]);
  expect(Object.fromEntries(rows)).toEqual(json('../dead-letters.json'));
});

test('the largest chunk there can be stays under the limit of bytes', () => {
  const chunk: Chunk = {
    campaign_id: 'a'.repeat(32),
    company_id: 'a'.repeat(32),
    message: '\n'.repeat(1_600),
    first_sequence: 999_995_000,
    phone_numbers: Array.from({ length: MAX_CHUNK_NUMBERS }, () => '+123456789012345'),
  };
  const begun = Math.floor(Date.now() / 1_000);
  const { content, properties } = chunkMessage(chunk, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
  expect(content.length).toBeLessThan(MAX_CHUNK_BYTES);
  expect(JSON.parse(content.toString())).toEqual({ version: 1, ...chunk });
  expect(properties).toEqual({
    contentType: 'application/json',
    persistent: true,
    type: 'campaign-chunk.v1',
    messageId: `${chunk.campaign_id}:999995000`,
    timestamp: expect.closeTo(begun, -1),
    headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  });
});

test.each([
  ['one number', ['+5511987654321'], 'Olá'],
  ['two of different lengths, and a text that JSON escapes', ['+12345678', '+123456789012345'], '"\\\n\t\u2028 😀'],
  [
    'as many as there can be',
    Array.from({ length: MAX_CHUNK_NUMBERS }, (_, index) => `+55119${10_000_000 + index}`),
    'a',
  ],
])('lines become the same message as a list, byte for byte: %s', (_, phone_numbers, message) => {
  const chunk = { campaign_id: 'c', company_id: 'd', message, first_sequence: 7 };
  const [ofList, ofLines] = [
    chunkMessage({ ...chunk, phone_numbers }, 't'),
    chunkMessageOfLines(chunk, phone_numbers.join('\n'), 't'),
  ];
  expect(ofLines.content.toString()).toBe(ofList.content.toString());
  expect(ofLines.properties).toEqual({ ...ofList.properties, timestamp: expect.any(Number) });
});
