import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../services/ports.js';
import { ApiStage } from '../../../testing/api-stage.js';
import { ROOT } from '../../../testing/process.js';
import { Offline } from '../offline.js';
import { someDebt, store } from './fixtures.js';
import { ownBiller } from './issuing.js';

const FOLDER = join(ROOT, '.local', 'mail');
/** serverless offline loads the whole framework first. */
const START_MS = 150_000;

let stage: ApiStage;
let offline: Offline;
let lambdaPort: number;

beforeAll(async () => {
  stage = await ApiStage.open();
  lambdaPort = await freePort();
  offline = await Offline.open(stage, { SMTP_URL: '', SMTP_FROM: '', LAMBDA_PORT: String(lambdaPort) });
}, START_MS);
afterAll(async () => {
  await offline?.close();
  await stage?.close();
});

test('under serverless offline a debt becomes a mail in a file, with its boleto', { timeout: START_MS }, async () => {
  expect(offline.output.join('\n')).toMatch(
    /Mails on this machine are not delivered, but written to \.local\/mail: smtp:/,
  );
  const acme = await ownBiller(stage);
  const to = `fulana.${Date.now()}@example.com`;
  const [seq] = await store(stage, acme, [someDebt({ email: to })]);
  const url = `http://127.0.0.1:${lambdaPort}/2015-03-31/functions/disparo-local-bill/invocations`;
  const tick = await fetch(url, { method: 'POST', body: '{}' });
  expect(await tick.json()).toMatchObject({ issued: 1 });
  const [debt] = await stage.sql<{ status: string }>('SELECT status FROM billing_debts WHERE seq = $1', [seq]);
  expect(debt).toEqual({ status: 'enviada' });
  const files = readdirSync(FOLDER).filter((name) => name.includes(to));
  const mails = await Promise.all(files.map((name) => simpleParser(readFileSync(join(FOLDER, name)))));
  expect(mails.map(({ attachments }) => attachments.map(({ contentType }) => contentType))).toEqual([
    ['application/pdf'],
  ]);
});
