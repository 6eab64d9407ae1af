import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Chunk } from '@disparo/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DeadReason, decodeBody } from './decode.js';

const CONTRACT = new URL('../../contract/', import.meta.url);
/** What the decoders of all languages say of some bodies, one a line. */
const KEPT = fileURLToPath(new URL('examples/verdicts.jsonl', CONTRACT));
/**
 * When DECODE_VERDICTS is set, verdicts are written to the file that it names: of DECODE_RUNS random bodies, for the other
 * languages to judge. When it names the kept file, the verdicts of the kept bodies are written again.
 */
const { DECODE_VERDICTS, DECODE_RUNS = '500' } = process.env;
const CODES = JSON.parse(readFileSync(new URL('dead-letters.json', CONTRACT), 'utf8')) as Record<string, string[]>;
const RUNS = 2_000;
const STEP_2 = ['too_large', 'not_json', 'unknown_version', 'schema_violation'];

/** `body` has one character for each byte. With it either the chunk, or why it is none. */
interface Verdict {
  body: string;
  chunk?: Chunk;
  reason?: string;
  detail?: string;
}

/** JSON texts: one value has many notations. */
const json = fc.oneof(
  fc.constantFrom('1', '1.0', '1e0', '10e-1', '2', '-0', '0', '1.5', '1e999', '-1e-999', '5', '-1', '999995000'),
  fc.constantFrom(
    '999995001',
    '9.99995e8',
    '1.00000000000000000001',
    '9007199254740993',
    '123456789012345678901234567890',
  ),
  fc.constantFrom('"c123"', '"c"', '"C123"', '"\\u00631"', '"c1\\n"', '"c:1"', '"cé"', `"c${'1'.repeat(31)}"`),
  fc.constantFrom('"oi"', '""', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"', '"\\u0000"'),
  fc.constantFrom('"\\/\\b\\f"', '"\\uD83D\\uDE00"', '"\\ud83d😀"', '"\u2028"', '"\u007f"', `"${'é'.repeat(1_600)}"`),
  fc.constantFrom(
    `"${'😀'.repeat(1_601)}"`,
    '["+5511999990001"]',
    '["+551199999000"]',
    '["+5511999990001",1]',
    '[]',
    '[""]',
  ),
  fc.constantFrom('["5511999990001"]', '["\\u002b5511999990001"]', '["+0511999990001"]', '["+55119999900010000"]'),
  fc.constantFrom('["+1234567"]', '["+12345678"]', '["+٥٥119999900"]', '[["+5511999990001"]]', '["+5511999990001\\n"]'),
  fc.constantFrom('null', 'true', '{}', '{"version":1}', '[[]]'),
  fc.json({ maxDepth: 3 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text)),
);
const almostJson = fc.constantFrom(
  ...[
    '01',
    '+1',
    '1.',
    '.5',
    '1e',
    '-',
    '"a\nb"',
    '"\\x"',
    '"\\u12"',
    "'a'",
    '[,]',
    '[1,]',
    '{,}',
    '{"a":}',
    'nul',
    'NaN',
    '',
  ],
);
const value = fc.oneof({ weight: 12, arbitrary: json }, { weight: 1, arbitrary: almostJson });

const FIELDS = {
  version: ['1', '1.0', '1e0'],
  campaign_id: ['"c123"', '"tz4a98xxat96iws9zmbrgj3a"'],
  company_id: ['"d456"', '"\\u00641"'],
  message: ['"oi"', '"Olá \\"você\\" 😀"', '"\\ud83d\\ude00\\n"'],
  first_sequence: ['1', '6', '999995000'],
  phone_numbers: ['["+5511999990001"]', '[ "+5511999990001" , "+14155550100" ]'],
};
const NAMES = Object.keys(FIELDS);
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('Version', 'unknown', '__proto__', '\\u0076ersion', '\\ud800', 'constructor', ''),
  },
);
const space = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('', ' ', '\n', '\t', '\r') },
  { weight: 1, arbitrary: fc.constantFrom('\u00a0', '\f', '\ufeff') },
);

/** A body that is almost one of ours: fields in any order, perhaps one left out, some twice, some with any other value. */
const almost = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.shuffledSubarray(Object.entries(FIELDS), { minLength: NAMES.length }) },
      { weight: 1, arbitrary: fc.shuffledSubarray(Object.entries(FIELDS), { minLength: NAMES.length - 1 }) },
    ),
    fc.array(fc.tuple(name, value), { maxLength: 2 }),
    fc.nat(100),
    space,
  )
  .map(([fields, others, at, blank]) => {
    const said = fields.map(([key, values]) => `"${key}":${blank}${values[at % values.length]}`);
    // Mostly after the others: when a field stands twice, the last one counts.
    for (const [key, other] of others)
      said.splice(at < 70 ? said.length : at % said.length, 0, `"${key}"${blank}:${other}`);
    return Buffer.from(`${blank}{${said.join(`${blank},`)}}${blank}`);
  });

/** Bytes are changed, put in, cut out. */
const spoilt = fc
  .tuple(
    almost,
    fc.nat(),
    fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[]",:\\01eE-+.u'))),
    fc.nat(3),
    fc.nat(3),
  )
  .map(([body, at, byte, cut, keep]) => {
    const place = at % (body.length + 1);
    const middle = keep === 0 ? Buffer.alloc(0) : Buffer.of(byte);
    return Buffer.concat([body.subarray(0, place), middle, body.subarray(place + cut)]);
  });

const anyBody = fc.oneof(
  { weight: 12, arbitrary: almost },
  { weight: 4, arbitrary: spoilt },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.oneof(value, fc.json()).map((json) => Buffer.from(json)) },
);

describe('step 2 takes any bytes', () => {
  it('and makes of them a chunk of the contract or a documented reason, and throws nothing', () => {
    fc.assert(
      fc.property(anyBody, (body) => {
        const decoded = decodeBody(body);
        if ('phone_numbers' in decoded) isChunk(decoded);
        else isReason(decoded);
      }),
      { numRuns: RUNS },
    );
  });

  it.runIf(DECODE_VERDICTS !== undefined)('and its verdicts can be written down', () => {
    const file = resolve(DECODE_VERDICTS ?? KEPT);
    const bodies = file === KEPT ? kept().map(bytesOf) : fc.sample(anyBody, Number(DECODE_RUNS));
    const lines = bodies.map((body) => JSON.stringify(verdict(body)));
    writeFileSync(file, `${lines.join('\n')}\n`);
  });

  it('says of each kept body what was said before, in this language as in the others', () => {
    const before = kept();
    expect(before.length).toBeGreaterThanOrEqual(500);
    for (const one of before) expect(verdict(bytesOf(one))).toEqual(one);
  });

  it('has a kept body for each code, but for those of a body that is long', () => {
    const seen = new Set(kept().map(({ reason, detail }) => `${reason} ${codeOf(detail ?? '')}`));
    const all = STEP_2.flatMap((reason) => CODES[reason]?.map((code) => `${reason} ${code}`) ?? []);
    const long = ['too_large max_bytes', 'schema_violation max_length', 'schema_violation max_items'];
    expect(all.filter((code) => !seen.has(code))).toEqual(long);
  });
});

/** The rules of campaign-chunk.v1.schema.json once more, written in another way. */
function isChunk({ campaign_id, company_id, message, first_sequence, phone_numbers }: Chunk): void {
  expect(campaign_id).toMatch(/^[a-z][a-z0-9]{1,31}$/);
  expect(company_id).toMatch(/^[a-z][a-z0-9]{1,31}$/);
  expect(message.isWellFormed() && message.length > 0 && [...message].length <= 1_600).toBe(true);
  expect(Number.isInteger(first_sequence) && first_sequence >= 1 && first_sequence <= 999_995_000).toBe(true);
  expect(phone_numbers.length >= 1 && phone_numbers.length <= 5_000).toBe(true);
  expect(phone_numbers.filter((number) => !/^\+[1-9][0-9]{7,14}$/.test(number))).toEqual([]);
}

function isReason({ reason, detail }: DeadReason): void {
  expect(STEP_2).toContain(reason);
  expect(CODES[reason]).toContain(codeOf(detail));
  // Names of our own fields and the place of a number: no value of the body.
  expect(detail).toMatch(/^[a-z0-9_]+( \/[a-z_]+(\/\d{1,4})?)?$/);
}

function codeOf(detail: string): string {
  return detail.split(' ', 1)[0] as string;
}

function kept(): Verdict[] {
  const lines = readFileSync(KEPT, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Verdict);
}

function bytesOf({ body }: Verdict): Buffer {
  return Buffer.from(body, 'latin1');
}

function verdict(body: Buffer): Verdict {
  const decoded = decodeBody(body);
  if (!('phone_numbers' in decoded)) return { body: body.toString('latin1'), ...decoded };
  const { campaign_id, company_id, message, first_sequence, phone_numbers } = decoded;
  return { body: body.toString('latin1'), chunk: { campaign_id, company_id, message, first_sequence, phone_numbers } };
}
