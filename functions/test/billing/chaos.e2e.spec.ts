import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { randomFrom } from '../../../testing/random.js';
import { FaultySmtp, type SmtpFault } from '../../../testing/smtp-faults.js';
import { untilTrue } from '../../../testing/until.js';
import { someBiller, someDebt, store, type TestBiller, withoutIssuing } from './fixtures.js';
import { fileOf, imported, lineOf } from './import-fixtures.js';
import { timePasses, Worker } from './issuing.js';
import { bill, counts, leasesEnd, owedMails, received, tenMinutesPass, twice } from './mailing.js';

const DEBTS = 300;
const WORKERS = 3;
/** After so many mails one of these happens, in turn. */
const MAILS_A_DISTURBANCE = 25;
/** On a machine that does much else. */
const PATIENCE_MS = 180_000;
/** Here leases and waits are no longer than that. */
const LEASE_MS = 1_000;

let stage: ApiStage;
let acme: TestBiller;
let smtp: FaultySmtp;

beforeAll(async () => {
  stage = await ApiStage.open();
  acme = await someBiller(stage);
});
afterAll(() => stage?.close());
beforeEach(async () => {
  smtp = await FaultySmtp.listen();
});
afterEach(async () => {
  await stage.sql('TRUNCATE billing_deliveries, billing_attempts, billing_debts, billing_invoices, billing_payments');
  await smtp.close();
});

async function pass(faults: ConstructorParameters<typeof Worker>[1] = {}): Promise<void> {
  const worker = new Worker(stage, faults, undefined, { port: smtp.port });
  await worker.pass().finally(() => worker.close());
}

test('a bank that dies after it has registered leaves each debt one mail', async () => {
  const other = await someBiller(stage, acme.owner);
  // Nothing but these workers issues: the server's own duty waits for a lease that it does not get.
  await stage.kill();
  await store(
    stage,
    other,
    [1, 2, 3].map((n) => someDebt({ email: `debtor-${n}@example.com` })),
  );
  await pass({ dieAfterCommit: () => true });
  expect(smtp.delivered).toEqual([]);
  await timePasses(stage);
  await pass();
  await pass();
  expect(received(smtp)).toEqual({ 'debtor-1': 1, 'debtor-2': 1, 'debtor-3': 1 });
  await stage.start();
});

test('the same file again touches no row of debts, boletos, mails and payments', async () => {
  const other = await someBiller(stage, acme.owner);
  const debts = [1, 2, 3].map((n) => someDebt({ email: `debtor-${n}@example.com` }));
  const file = fileOf(...debts.map(lineOf));
  await imported(stage, other.owner, other.company, file);
  const issued = 'SELECT count(*)::int AS count FROM billing_debts WHERE issued_at IS NOT NULL';
  await stage.until(async () => (await stage.sql<{ count: number }>(issued))[0]?.count === 3, 'all are issued');
  await pass();
  await stage.sql(`SELECT billing_pay($1, 'e', $2, 'x', 100, now(), 'pix', NULL)`, [other.companyNo, debts[0]?.debtId]);
  const rows = async () =>
    Promise.all(
      ['debts', 'invoices', 'deliveries', 'attempts', 'payments'].map((table) =>
        stage.sql(`SELECT ctid, xmin, xmax, t.* FROM billing_${table} t ORDER BY t`),
      ),
    );
  const before = await rows();
  expect(before.map(({ length }) => length)).toEqual([3, 3, 3, 3, 1]);

  expect(await imported(stage, other.owner, other.company, file)).toMatchObject({ created: 0, repeated: 3 });
  await pass();
  expect(await rows()).toEqual(before);
  expect(received(smtp)).toEqual({ 'debtor-1': 1, 'debtor-2': 1, 'debtor-3': 1 });
});

/** What a mail meets, by chance; most are taken, and the 250 names which one it was. */
function fate(number: number, chance: number): SmtpFault {
  const fates: [upTo: number, fault: SmtpFault][] = [
    [0.05, { kind: 'says', at: 'dot', text: '451 4.7.1 greylisted' }],
    [0.07, { kind: 'says', at: 'dot', text: '550 5.7.1 no' }],
    [0.09, { kind: 'says', at: 'rcpt', text: '550 5.1.1 no such user' }],
    [0.12, { kind: 'drops', at: 'dot', delivered: true }],
    [0.14, { kind: 'drops', at: 'dot', delivered: false }],
    [0.16, { kind: 'drops', at: 'rcpt' }],
    [0.17, { kind: 'drops', at: 'mail' }],
    [0.18, { kind: 'dropsInBody', afterBytes: 1_000 }],
  ];
  return fates.find(([upTo]) => chance < upTo)?.[1] ?? { kind: 'says', at: 'dot', text: `250 queued as ${number}.` };
}

test('workers that are killed, cut off and frozen send 300 mails, none of them twice, and no status lies', {
  timeout: 200_000,
}, async () => {
  await withoutIssuing(stage, acme);
  const mails = await owedMails(stage, acme, DEBTS);
  const seed = Date.now() % 1_000_000_000;
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5432);
  const workers: Process[] = [];
  const some = () => workers[Math.floor(random() * workers.length)];
  const thaw = () => {
    for (const worker of workers) worker.signal('SIGCONT');
  };
  const disturbances = [
    () => void some()?.kill(),
    () => postgres.cut(),
    () => some()?.signal('SIGSTOP'),
    () => void some()?.kill(),
    thaw,
  ];
  const met = new Map<number, { fault: SmtpFault; recipient: string }>();
  smtp.script = ({ number, recipient }, step) => {
    if (step !== 'mail' && step !== 'rcpt' && step !== 'data' && step !== 'dot') return undefined;
    const known = met.get(number);
    const fault = known?.fault ?? fate(number, random());
    met.set(number, { fault, recipient });
    if (!known && number % MAILS_A_DISTURBANCE === 0) disturbances.shift()?.();
    return fault;
  };

  const isOwed = async () => (await counts(stage, mails)).pendente !== undefined;
  const free = `SELECT FROM billing_deliveries WHERE outcome IS NULL AND began_at IS NULL
                   AND coalesce(greatest(claimed_until, next_at) < clock_timestamp(), true) LIMIT 1`;
  let over = false;
  const works = async (at: number) => {
    while (await isOwed()) {
      // Else it would only start and end again.
      await untilTrue(async () => (await stage.sql(free)).length > 0 || !(await isOwed()), 'a mail is free', {
        withinMs: PATIENCE_MS,
      });
      const worker = bill(stage, smtp, { DATABASE_URL: postgres.url });
      workers[at] = worker;
      await worker.exited;
    }
  };
  const all = Promise.all(Array.from({ length: WORKERS }, (_, at) => works(at))).finally(() => {
    over = true;
  });
  await untilTrue(
    async () => {
      await leasesEnd(stage, mails);
      if (!(await isOwed())) thaw();
      return over;
    },
    'nothing is owed',
    { withinMs: PATIENCE_MS, everyMs: LEASE_MS },
  );
  await all;
  await postgres.close();
  await tenMinutesPass(stage, mails);
  for (smtp.script = ({ number }) => fate(number, 1); await isOwed(); ) {
    await leasesEnd(stage, mails);
    await pass();
  }
  await pass();

  const found = await counts(stage, mails);
  const { enviada = 0, recusada = 0, desconhecida = 0, ...others } = found;
  console.log(found, `${smtp.connections} connections`);
  expect([enviada + recusada + desconhecida, others]).toEqual([DEBTS, {}]);
  expect(twice(smtp)).toEqual([]);
  const rows = await stage.sql<{ email: string; status: string; response: string | null }>(
    'SELECT email, v.status, response FROM billing_deliveries v JOIN billing_debts d USING (seq)',
  );
  const taken = new Set(smtp.delivered.map(({ recipient }) => recipient));
  for (const { email, status, response } of rows) {
    const number = Number(/queued as (\d+)\./.exec(response ?? '')?.[1]);
    // The server has said 250 of just this mail, and of no other that is not sent or unknown.
    if (status === 'enviada') expect([met.get(number)?.recipient, taken.has(email)]).toEqual([email, true]);
    else expect([email, status, number]).toEqual([email, taken.has(email) ? 'desconhecida' : status, Number.NaN]);
  }
});
