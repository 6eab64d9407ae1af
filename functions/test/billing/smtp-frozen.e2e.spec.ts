import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { Process, ROOT } from '../../../testing/process.js';
import { FaultySmtp } from '../../../testing/smtp-faults.js';
import { untilTrue } from '../../../testing/until.js';
import { someBiller, type TestBiller, withoutIssuing } from './fixtures.js';
import { Worker, type WorkerMail } from './issuing.js';
import { counts, type OwedMail, owedMails, received, standing, standsStill, tenMinutesPass } from './mailing.js';

/** The real ones are half a minute and two: nothing else is different. */
const LIMITS = { handOverMs: 1_000, sendMs: 3_000 };

/** Inside of the clone, so that it finds the packages. */
const folder = mkdtempSync(join(ROOT, 'dist', 'worker-'));
let stage: ApiStage;
let acme: TestBiller;
let smtp: FaultySmtp;

beforeAll(async () => {
  await build({
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external' },
    entryPoints: [join(import.meta.dirname, 'worker-process.ts')],
    outfile: join(folder, 'worker.mjs'),
    logLevel: 'warning',
  });
  stage = await ApiStage.open();
  acme = await someBiller(stage);
  await withoutIssuing(stage, acme);
});
afterAll(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  smtp = await FaultySmtp.listen();
});
afterEach(async () => {
  await stage.sql('TRUNCATE billing_deliveries, billing_attempts, billing_debts, billing_invoices, billing_payments');
  await smtp.close();
});

/** A process that mails, in which a second is what half a minute is. */
function workerProcess(): Process {
  const mail: WorkerMail = { port: smtp.port, limits: LIMITS };
  const args = [join(folder, 'worker.mjs'), stage.env.DATABASE_URL, JSON.stringify(mail)];
  return stage.stores.with(new Process('worker', [process.execPath, ...args], { env: {} }));
}
async function pass(): Promise<void> {
  const worker = new Worker(stage, {}, undefined, { port: smtp.port, limits: LIMITS });
  await worker.pass().finally(() => worker.close());
}
const resolve = async ({ debtId }: OwedMail) => {
  const path = `/api/billing/debts/${debtId}/deliveries/1/resolve?company_id=${acme.company.id}`;
  const body = { outcome: 'nao_enviada', note: 'asked the debtor' };
  return (await stage.api('POST', path, { token: acme.owner.token, body })).status;
};

test.each(['data', 'rcpt', 'mail'] as const)(
  'a worker that stood still at %s while a person said "not sent" sends nothing when it goes on',
  async (step) => {
    const [mail] = (await owedMails(stage, acme, 1)) as [OwedMail];
    let worker: Process | undefined;
    const isBegun = standsStill(
      smtp,
      () => worker as Process,
      step,
      () => true,
    );
    worker = workerProcess();
    await isBegun;
    const since = performance.now();
    expect(await counts(stage, [mail])).toEqual({ tentando: 1 });

    // The server's duty sweeps.
    await tenMinutesPass(stage, [mail]);
    await stage.until(async () => (await counts(stage, [mail])).desconhecida, 'it is swept');
    expect(await resolve(mail)).toBe(200);
    await pass();
    expect(received(smtp)).toEqual({ 'debtor-0': 1 });

    await untilTrue(() => performance.now() - since > LIMITS.handOverMs, 'its time is over');
    worker.signal('SIGCONT');
    expect(await worker.exit()).toBe(0);
    await untilTrue(() => smtp.open === 0, 'all that it has written is read');
    expect(received(smtp)).toEqual({ 'debtor-0': 1 });
    expect(await standing(stage, [mail])).toEqual({ 'debtor-0': 'enviada, enviada' });
  },
);

test('a 250 that comes after the time of a send is no "sent", and it is not sent again', async () => {
  const mails = await owedMails(stage, acme, 2);
  let say: () => void = () => {};
  const until = new Promise<void>((said) => {
    say = said;
  });
  smtp.script = ({ recipient }) => (recipient.startsWith('debtor-0') ? { kind: 'ok', until } : undefined);
  await pass();
  say();
  await pass();
  expect(await standing(stage, mails)).toEqual({
    'debtor-0': 'desconhecida, gerada',
    'debtor-1': 'enviada, enviada',
  });
  expect(received(smtp)).toEqual({ 'debtor-0': 1, 'debtor-1': 1 });
});

test('a server that reads nothing after its 354 leaves a mail unknown or unsent, and never sent', async () => {
  const mails = await owedMails(stage, acme, 1);
  smtp.script = () => ({ kind: 'stallsAfter354' });
  await pass();
  // All of a small mail fits into the buffers of the two systems: then nobody knows.
  const { 'debtor-0': found } = await standing(stage, mails);
  expect(['desconhecida, gerada', 'pendente, gerada']).toContain(found);
  expect(received(smtp)).toEqual({});
});
