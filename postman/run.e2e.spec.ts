import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { TestBucket } from '../functions/test/uploads/fixtures.js';
import { ApiStage } from '../testing/api-stage.js';
import type { Process } from '../testing/process.js';
import { FaultySmtp } from '../testing/smtp-faults.js';
import { allFolders } from './build/collection.js';
import { type Contract, routesOf } from './build/contract.js';
import { readAnswers } from './build/files.js';
import { type Asked, type Run, runCollection } from './build/run.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const bucket = new TestBucket();
const steps = allFolders().flatMap((folder) => folder.steps);

let smtp: FaultySmtp;
let stage: ApiStage;
let consumer: Process;
let contract: Contract;
let run: Run;

beforeAll(async () => {
  await bucket.open();
  smtp = await FaultySmtp.listen();
  stage = await ApiStage.open({ env: { ...bucket.env, SMTP_URL: smtp.url, SMTP_FROM: 'cobranca@example.com' } });
  // Slow enough that a pause comes before all is sent.
  consumer = stage.consumer({ PREFETCH: '1' });
  contract = (await stage.api<Contract>('GET', '/api/openapi.json')).body;
  run = await runCollection(stage.url, { show: false });
});

afterAll(async () => {
  await consumer?.kill();
  await stage?.close();
  await smtp?.close();
  await bucket.close();
});

test('the whole collection is green against the real API, stores and a consumer', () => {
  expect(run.failures).toEqual([]);
  expect(new Set(run.asked.map(({ name }) => name))).toEqual(new Set(steps.map(({ name }) => name)));
});

test('and again on the same data, passing over what needs an object store or a mail server where there is none', async () => {
  await stage.stop();
  await stage.start({ env: { UPLOAD_BUCKET: '', SMTP_URL: '', SMTP_FROM: '' } });
  const { failures, asked } = await runCollection(stage.url, { show: false });
  const names = asked.map(({ name }) => name);
  expect(failures).toEqual([]);
  expect(names).toContain('Ask for a URL');
  expect(names).not.toContain('Send the file');
  expect(names).not.toContain('Send the file of debts');
  expect(names).toContain('Delete Ana');
});

/** The codes of problems that an operation documents, by status. */
function documented(name: string): Map<string, string[]> | undefined {
  const step = steps.find((each) => each.name === name);
  const operation = typeof step?.ask === 'string' ? routesOf(contract).get(step.ask)?.operation : undefined;
  if (!operation) return undefined;
  return new Map(
    Object.entries(operation.responses).map(([status, { content }]) => [
      status,
      (content?.['application/problem+json']?.schema?.allOf?.[1]?.properties?.code?.enum ?? []) as string[],
    ]),
  );
}

test('every answer of the run is one that the OpenAPI document has at that operation', () => {
  const isDocumented = ({ name, status, body }: Asked): boolean => {
    const codes = documented(name)?.get(String(status));
    return codes !== undefined && (status < 400 || codes.includes((JSON.parse(body) as { code: string }).code));
  };
  const asked = run.asked.filter(({ name }) => documented(name) !== undefined);
  expect(asked.filter((each) => !isDocumented(each)).map(({ name, status }) => [name, status])).toEqual([]);
});

test('the examples that are kept are answers such as this run has had', () => {
  const kept = readAnswers();
  const fields = (body: string): unknown =>
    body.startsWith('{') && !body.endsWith('...') ? Object.keys(JSON.parse(body)) : '';
  const outline = (answers: typeof kept) =>
    Object.fromEntries(
      Object.entries(answers).map(([name, { status, headers, body }]) => [
        name,
        [status, headers['content-type'], fields(body)],
      ]),
    );
  expect(outline(kept)).toEqual(outline(run.answers));
});
