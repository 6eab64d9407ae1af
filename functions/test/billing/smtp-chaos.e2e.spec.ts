import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import { FaultySmtp, type SmtpFault } from '../../../testing/smtp-faults.js';
import { untilTrue } from '../../../testing/until.js';
import { someBiller, type TestBiller, withoutIssuing } from './fixtures.js';
import { Worker } from './issuing.js';
import {
  bill,
  counts,
  leasesEnd,
  type OwedMail,
  owedMails,
  received,
  standing,
  standsStill,
  stopNow,
  tenMinutesPass,
  twice,
} from './mailing.js';
import { pay, somePayment, withSecret } from './paying.js';

/** SMTP_CONNECTIONS unless it is set: so many mails are under way at once. */
const WINDOW = 5;

let stage: ApiStage;
let acme: TestBiller;
let smtp: FaultySmtp;

beforeAll(async () => {
  // It sends nothing, as it has no mail server; it sweeps, and takes what people and payers say.
  stage = await ApiStage.open();
  acme = await someBiller(stage);
  await withoutIssuing(stage, acme);
});
afterAll(() => stage?.close());
beforeEach(async () => {
  smtp = await FaultySmtp.listen();
});
afterEach(async () => {
  await stage.sql('TRUNCATE billing_deliveries, billing_attempts, billing_debts, billing_invoices, billing_payments');
  await smtp.close();
});

/** One pass of another worker, here. Those that are killed or stand still are processes of their own. */
const pass = async () => {
  const worker = new Worker(stage, {}, undefined, { port: smtp.port });
  await worker.pass().finally(() => worker.close());
};
/** What each debtor's mails meet; others are taken. */
const faults = (of: Record<string, SmtpFault>) => {
  smtp.script = ({ recipient }) => of[recipient.split('@')[0] ?? ''];
};
const resolve = async ({ debtId }: OwedMail, outcome: 'enviada' | 'nao_enviada') => {
  const path = `/api/billing/debts/${debtId}/deliveries/1/resolve?company_id=${acme.company.id}`;
  const { status, body } = await stage.api('POST', path, {
    token: acme.owner.token,
    body: { outcome, note: 'asked the debtor' },
  });
  return status === 200 ? 200 : [status, body.code];
};

test('250 and killed: its window is unknown, all others are sent, and none twice', async () => {
  const mails = await owedMails(stage, acme, 8);
  let say: () => void = () => {};
  const until = new Promise<void>((said) => {
    say = said;
  });
  smtp.script = () => ({ kind: 'ok', until });
  const worker = bill(stage, smtp);
  await smtp.untilDelivered(WINDOW);
  // It has written five mails, and stands still when the five answers come: it reads none of them any more.
  stopNow(worker);
  say();
  await turn();
  await worker.kill();
  expect(await counts(stage, mails)).toEqual({ tentando: WINDOW, pendente: 8 - WINDOW });

  await leasesEnd(stage, mails);
  await pass();
  expect(await counts(stage, mails)).toEqual({ tentando: WINDOW, enviada: 8 - WINDOW });
  const [first] = mails as [OwedMail];
  expect(await resolve(first, 'nao_enviada')).toEqual([409, 'BILLING.INVALID_TRANSITION']);

  await tenMinutesPass(stage, mails);
  await pass();
  expect(await counts(stage, mails)).toEqual({ desconhecida: WINDOW, enviada: 8 - WINDOW });
  expect(Object.values(received(smtp))).toEqual(Array(8).fill(1));
});

test('each mail is what its own connection saw of it', async () => {
  const mails = await owedMails(
    stage,
    acme,
    [...['taken', 'later', 'refused', 'no-recipient', 'dropped-at-rcpt'], ...['dropped-delivered', 'dropped-lost']].map(
      (name) => `${name}@example.com`,
    ),
  );
  faults({
    later: { kind: 'says', at: 'dot', text: '451 4.7.1 greylisted' },
    refused: { kind: 'says', at: 'dot', text: '550 5.7.1 no' },
    'no-recipient': { kind: 'says', at: 'rcpt', text: '550 5.1.1 no such user' },
    'dropped-at-rcpt': { kind: 'drops', at: 'rcpt' },
    'dropped-delivered': { kind: 'drops', at: 'dot', delivered: true },
    'dropped-lost': { kind: 'drops', at: 'dot', delivered: false },
  });
  const over = {
    taken: 'enviada, enviada',
    refused: 'recusada, falhou',
    'no-recipient': 'recusada, falhou',
    'dropped-delivered': 'desconhecida, gerada',
    'dropped-lost': 'desconhecida, gerada',
  };
  const waits = 'pendente, gerada';
  await pass();
  expect(await standing(stage, mails)).toEqual({
    ...over,
    ...{ later: waits, 'dropped-at-rcpt': waits },
  });

  // 451 three times in all. Nothing that is over, or held, goes again.
  for (const _ of [2, 3]) {
    await leasesEnd(stage, mails);
    await pass();
  }
  faults({});
  await leasesEnd(stage, mails);
  await pass();
  const sent = 'enviada, enviada';
  expect(await standing(stage, mails)).toEqual({
    ...over,
    ...{ later: sent, 'dropped-at-rcpt': sent },
  });
  expect(received(smtp)).toEqual({
    ...{ taken: 1, later: 1, 'dropped-at-rcpt': 1, 'dropped-delivered': 1 },
  });
});

test('a person says "not sent" ten minutes after it began, and it goes again under the same Message-ID', async () => {
  const [mail] = (await owedMails(stage, acme, 1)) as [OwedMail];
  faults({ 'debtor-0': { kind: 'drops', at: 'dot', delivered: true } });
  await pass();
  expect(await resolve(mail, 'nao_enviada')).toEqual([409, 'BILLING.INVALID_TRANSITION']);
  await pass();
  expect(smtp.delivered).toHaveLength(1);

  await tenMinutesPass(stage, [mail]);
  expect(await resolve(mail, 'nao_enviada')).toBe(200);
  faults({});
  await pass();
  expect(await standing(stage, [mail])).toEqual({ 'debtor-0': 'enviada, enviada' });
  const [messageId] = smtp.delivered.map((each) => each.messageId);
  expect(smtp.times).toEqual(new Map([[messageId, 2]]));
});

test('a worker that stood still beyond its lease sends nothing that another has sent', async () => {
  const mails = await owedMails(stage, acme, 3);
  let worker: Process | undefined;
  // It opens the second connection once it has claimed more mails than one.
  const stands = standsStill(
    smtp,
    () => worker as Process,
    'greeting',
    ({ number }) => number === 2,
  );
  worker = bill(stage, smtp);
  await stands;
  const claimed = 'SELECT status, claimed_until IS NOT NULL AS claimed FROM billing_deliveries';
  expect(await stage.sql(claimed)).toEqual(Array(3).fill({ status: 'pendente', claimed: true }));

  await leasesEnd(stage, mails);
  await pass();
  expect(await counts(stage, mails)).toEqual({ enviada: 3 });
  worker.signal('SIGCONT');
  await worker.exit();
  expect(await counts(stage, mails)).toEqual({ enviada: 3 });
  expect([smtp.delivered.length, twice(smtp)]).toEqual([3, []]);
});

test('a payment stops a mail that waits or is claimed, and lets one go on that has begun', async () => {
  const mails = await owedMails(
    stage,
    acme,
    ['waits', 'claimed', 'begun'].map((name) => `${name}@example.com`),
  );
  const secret = await withSecret(stage, acme);
  const payOf = async ({ debtId }: OwedMail) => (await pay(stage, acme.company.id, secret, somePayment(debtId))).body;
  const [waits, claimed, begun] = mails as [OwedMail, OwedMail, OwedMail];
  expect(await payOf(waits)).toEqual({ result: 'recorded' });

  let worker: Process | undefined;
  const isClaimed = standsStill(
    smtp,
    () => worker as Process,
    'greeting',
    ({ number }) => number === 2,
  );
  worker = bill(stage, smtp);
  await isClaimed;
  expect(await payOf(claimed)).toEqual({ result: 'recorded' });
  const isBegun = standsStill(
    smtp,
    () => worker as Process,
    'data',
    () => true,
  );
  worker.signal('SIGCONT');
  await isBegun;
  expect(await payOf(begun)).toEqual({ result: 'recorded' });
  worker.signal('SIGCONT');
  await worker.exit();

  expect(await standing(stage, mails)).toEqual({
    waits: 'dispensada, paga',
    claimed: 'dispensada, paga',
    begun: 'enviada, paga',
  });
  expect(received(smtp)).toEqual({ begun: 1 });
});

test('a mail server that is away costs no mail an attempt', async () => {
  const mails = await owedMails(stage, acme, 3);
  smtp.script = (_, step) => (step === 'greeting' ? { kind: 'says', at: 'greeting', text: '421 busy' } : undefined);
  await pass();
  faults({});
  const row = `SELECT DISTINCT status, attempt, claimed_until IS NOT NULL AS claimed, next_at > now() AS waits FROM billing_deliveries`;
  expect(await stage.sql(row)).toEqual([{ status: 'pendente', attempt: 0, claimed: false, waits: null }]);
  await pass();
  expect(await counts(stage, mails)).toEqual({ enviada: 3 });
  await untilTrue(() => smtp.open === 0, 'a pass closes its connections');
});
