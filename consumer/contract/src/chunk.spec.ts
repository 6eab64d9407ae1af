import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type Chunk,
  chunkMessage,
  chunkMessageOfLines,
  chunkProblem,
  MAX_CHUNK_BYTES,
  MAX_CHUNK_NUMBERS,
} from './chunk.js';

const examples = new URL('../examples/', import.meta.url);
const reasons: Record<string, string> = JSON.parse(readFileSync(new URL('invalid/reasons.json', examples), 'utf8'));

describe('every valid example is a chunk', () => {
  test.each(readdirSync(new URL('valid', examples)))('%s', (name) => {
    expect(chunkProblem(JSON.parse(readFileSync(new URL(`valid/${name}`, examples), 'utf8')))).toBeUndefined();
  });
});

describe('every example that breaks the schema is refused by it, and the detail shows no value', () => {
  // A lone surrogate is a string to JSON Schema; the decoders look for it themselves.
  const broken = Object.keys(reasons).filter(
    (name) => reasons[name] === 'schema_violation' && name !== 'text-with-a-lone-surrogate.json',
  );
  test.each(broken)('%s', (name) => {
    const problem = chunkProblem(JSON.parse(readFileSync(new URL(`invalid/${name}`, examples), 'utf8')));
    expect(problem).toMatch(/^\/\S* must /);
    expect(problem).not.toMatch(/55119|Oferta/);
  });
});

test('every invalid example has its reason written down', () => {
  const files = readdirSync(new URL('invalid', examples)).filter((name) => name !== 'reasons.json');
  expect(files.sort()).toEqual(Object.keys(reasons).sort());
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
