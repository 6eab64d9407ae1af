import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { form } from './fixtures.js';

type Handler = (event: object, context: object) => Promise<{ statusCode: number; body: string }>;
type Reader = { prototype: { write(piece: Uint8Array): void } };

/** What tsc made: see api.e2e.spec.ts. */
const DIST = new URL('../../../dist/functions/', import.meta.url);
const LINES = 500_000;
const PIECE_BYTES = 4_096;

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let handler: Handler;
let reader: Reader;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
  for (const [key, value] of Object.entries({ ...stage.env, LOG_LEVEL: 'silent' })) vi.stubEnv(key, value);
  ({ handler } = (await import(/* @vite-ignore */ new URL('api.js', DIST).href)) as { handler: Handler });
  const module = new URL('recipients/recipients-file.js', DIST);
  ({ RecipientsFile: reader } = (await import(/* @vite-ignore */ module.href)) as { RecipientsFile: Reader });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await stage?.close();
});

/** The form as API Gateway hands it over: whole, in base64. */
async function eventOf(file: string): Promise<object> {
  const fields = { name: 'n', message: 'm', company_id: company.id };
  const request = new Request('http://x', { method: 'POST', body: form([...Object.entries(fields), ['file', file]]) });
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/api/campaigns',
    rawQueryString: '',
    headers: { 'content-type': request.headers.get('content-type'), authorization: `Bearer ${ana.token}` },
    requestContext: { http: { method: 'POST', path: '/api/campaigns', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    body: Buffer.from(await request.arrayBuffer()).toString('base64'),
    isBase64Encoded: true,
  };
}

test('a form that a function has whole is read in pieces, each in a turn of its own', async () => {
  const event = await eventOf(`${'x\n'.repeat(LINES)}11987654321\n`);
  let turns = 0;
  const turn = () => {
    turns++;
    running = setImmediate(turn);
  };
  let running = setImmediate(turn);
  const { write } = reader.prototype;
  const pieces: { turn: number; bytes: number }[] = [];
  vi.spyOn(reader.prototype, 'write').mockImplementation(function (this: Reader['prototype'], piece) {
    pieces.push({ turn: turns, bytes: piece.length });
    write.call(this, piece);
  });
  const answer = await handler(event, { getRemainingTimeInMillis: () => 900_000 });
  clearImmediate(running);
  const { file } = JSON.parse(answer.body);
  expect([answer.statusCode, file.invalid, file.blank, file.accepted]).toEqual([201, LINES - 1, 1, 1]);
  expect(pieces.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(2 * LINES + 12);
  expect(Math.max(...pieces.map(({ bytes }) => bytes))).toBeLessThanOrEqual(PIECE_BYTES);
  expect(new Set(pieces.map((piece) => piece.turn)).size).toBe(pieces.length);
});
