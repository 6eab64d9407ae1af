import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EXIT } from '@disparo/contract';
import { NOWHERE } from '../../../services/bring-up.js';
import { CommandError } from '../../../services/command-error.js';
import { openCatcher } from '../../../services/mail/server.js';
import { freePort } from '../../../services/ports.js';
import { migrated } from '../migrations.js';
import { Sample } from '../sample/sample.js';
import { appScript } from '../supervise/app-command.js';
import { baseUrl, checkedConfig, untilHealthy } from '../supervise/offline.js';
import { type Session, withServices } from '../supervise/session.js';
import { colour, say } from '../supervise/terminal.js';
import { alone } from './billing-alone.js';
import { BillingClient, type Debt, type Import, type Report } from './billing-client.js';
import { reportMails } from './billing-mails.js';
import { reportDebts, reportImport } from './billing-report.js';
import { Client } from './client.js';
import { type InputFile, inputFile, megabytes } from './input-file.js';
import { keepingLines } from './kept-lines.js';
import { ownTables } from './own-stores.js';
import { Progress } from './progress.js';

const HOST = '127.0.0.1';
const FOLDER = '.local/billing';
/** The demo's own catcher takes its mails, whatever SMTP_URL says: its debtors are made up, and a file may be anybody's. */
const MAIL_FOLDER = resolve(FOLDER, 'mail');
const MAIL_FROM = 'cobranca@disparo.example';
const DATABASE = 'disparo_demo_billing';
const ROWS = '200';
const SEED = 7;
const SHOWN_BOLETOS = 3;
/** A demo of many debts does not wait until each has its boleto and its mail. */
const AWAITED = 1_000;
const POLL_MS = 100;
const PATIENCE_MS = 300_000;

/**
 * `npm run demo -- --billing [file | --rows=n]`: a file of debts is imported, each debt becomes a boleto with a Pix code and goes
 * out as a mail, which is caught, one is paid by a signed webhook, and the same file changes nothing. Needs PostgreSQL alone.
 * Returns the exit code.
 */
export async function demoBilling(args: string[], usage: string): Promise<number> {
  const { given, rows } = parsed(args, usage);
  const found = given === undefined ? undefined : await inputFile(given);
  checkedConfig();
  const begun = performance.timeOrigin;
  say(colour('bold', 'Disparo: a file of debts becomes boletos with Pix codes, and e-mails'));
  await mkdir(FOLDER, { recursive: true });
  const file = found ?? (await sampleOf(rows));
  return withServices(say, { wait: true, needs: ['DATABASE_URL'] }, (session) => run(session, file, begun));
}

function parsed(args: string[], usage: string): { given: string | undefined; rows: number } {
  try {
    const { values, positionals } = parseArgs({ args, options: { rows: { type: 'string' } }, allowPositionals: true });
    const rows = values.rows ?? ROWS;
    const isRight = /^[1-9]\d{0,6}$/.test(rows) && positionals.length <= (values.rows === undefined ? 1 : 0);
    if (isRight) return { given: positionals[0], rows: Number(rows) };
  } catch {}
  throw new CommandError(`usage: ${usage}`);
}

/** A file of made-up debts, which stays where a person can look at it. */
async function sampleOf(lines: number): Promise<InputFile> {
  const name = `${FOLDER}/debts.csv`;
  const sample = new Sample({ lines, seed: SEED, plain: false });
  await pipeline(Readable.from(sample.pieces()), createWriteStream(name));
  const { counts } = sample;
  say(
    `Made ${resolve(name)}: ${lines.toLocaleString('en')} lines, ${counts.rejected.toLocaleString('en')} of them wrong`,
  );
  return { path: resolve(name), name, size: counts.bytes };
}

async function run(session: Session, file: InputFile, begun: number): Promise<number> {
  const { supervisor, services, env } = session;
  const databaseUrl = await ownTables(services, DATABASE);
  await migrated(session, databaseUrl);
  return alone(databaseUrl, () =>
    keepingLines(async (keep) => {
      const port = await freePort();
      await rm(MAIL_FOLDER, { recursive: true, force: true });
      const catcher = await openCatcher({ folder: MAIL_FOLDER });
      try {
        const where = { ...NOWHERE, DATABASE_URL: databaseUrl, API_HOST: HOST, API_PORT: String(port) };
        const own = { ...env, ...where, ...mailKeys(catcher.url) };
        say('Starting the API (plain server), which merges imports, makes boletos and sends mails every two seconds');
        supervisor.start({ name: 'api', args: appScript('server'), env: own, line: keep('api') });
        const base = baseUrl(HOST, port);
        await supervisor.during(untilHealthy(base, 'postgres'));
        await supervisor.during(show(new Client(base), file));
      } finally {
        await catcher.close();
      }
      say(`\n${colour('green', 'Done')} in ${secondsSince(begun)}, set-up included. Next: npm start`);
      return 0;
    }),
  );
}

/** All of them are set, since a child would take one that is not from .env. */
function mailKeys(url: string): NodeJS.ProcessEnv {
  return { SMTP_URL: url, SMTP_FROM: MAIL_FROM, SMTP_CONNECTIONS: '5', SMTP_RATE: '1000000' };
}

/** From the log-in to the same file once more. Throws CommandError where something is not as it should be. */
async function show(client: Client, file: InputFile): Promise<void> {
  say(`Logged in as ${await client.enter()}, with a company of their own\n`);
  const billing = new BillingClient(client);
  const first = await imported(billing, file);
  reportImport(file.name, first);
  if (first.created === 0) return;
  const wanted = Math.min(first.created, AWAITED);
  await untilReported(billing, { label: 'Boletos', all: first.created, wanted, count: ({ generated }) => generated });
  const shown = await billing.debts(SHOWN_BOLETOS);
  for (const [index, debt] of shown.entries()) await printed(billing, debt, index + 1);
  say('');
  await untilReported(billing, { label: 'E-mails', all: first.created, wanted, count: ({ sent }) => sent });
  await reportMails(MAIL_FOLDER, await untilSent(billing, wanted), first.created);
  await paid(billing, shown[0] as Debt);
  reportDebts(await billing.report());
  say(`\n${colour('bold', 'The same file again')}`);
  const again = await imported(billing, file);
  ensure(again.created === 0, `the same file has created ${again.created} debts`);
  ensure((await billing.report()).imported === first.created, 'the same file has changed the number of debts');
  say(`It changes nothing: ${again.repeated.toLocaleString('en')} lines repeat a debt, none has created one`);
}

/** Sends the file, and waits until all its lines are merged. */
async function imported(billing: BillingClient, file: InputFile): Promise<Import> {
  const begun = Date.now();
  const sending = new Progress('Uploading');
  let now = await billing
    .import(file, (bytes) => sending.update(bytes / file.size, `${megabytes(bytes)} of ${megabytes(file.size)}`))
    .finally(() => sending.end());
  const merging = new Progress('Merging');
  try {
    for (;;) {
      const merged = now.accepted - now.waiting;
      const lines = `${merged.toLocaleString('en')} of ${now.accepted.toLocaleString('en')}  ${now.status}`;
      merging.update(now.accepted === 0 ? 1 : merged / now.accepted, lines);
      if (now.status === 'importado') break;
      await delay(POLL_MS);
      now = await billing.imported(now.id);
    }
  } finally {
    merging.end();
  }
  say(`${now.lines.toLocaleString('en')} lines imported in ${secondsSince(begun)}`);
  return now;
}

/** What is waited for: so many of all debts by this count. */
interface Awaited {
  label: string;
  all: number;
  wanted: number;
  count(report: Report): number;
}

/** Waits for the first ones; of a large file the server goes on with the others for minutes, of its mails for hours. */
async function untilReported(billing: BillingClient, { label, all, wanted, count }: Awaited): Promise<void> {
  const bar = new Progress(label);
  try {
    for (const deadline = Date.now() + PATIENCE_MS; ; await delay(POLL_MS)) {
      const report = await billing.report();
      const done = count(report);
      bar.update(Math.min(1, done / all), `${done.toLocaleString('en')} of ${all.toLocaleString('en')}`);
      ensure(report.failed + report.held === 0, `${report.failed} debts have failed, ${report.held} mails are held`);
      if (done >= wanted) return;
      ensure(Date.now() < deadline, `${done} of ${wanted} ${label} after ${PATIENCE_MS / 1_000} s`);
    }
  } finally {
    bar.end();
    if (all > wanted) say('The others follow while the server runs: for now these are enough to look at');
  }
}

/** The first debts, once each of them has its mail: mails go out side by side, so that some later ones may be earlier. */
async function untilSent(billing: BillingClient, wanted: number): Promise<Debt[]> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(POLL_MS)) {
    const debts = await billing.debts(wanted);
    const missing = debts.filter(({ sent_at }) => sent_at === null).length;
    if (missing === 0) return debts;
    ensure(Date.now() < deadline, `${missing} of the first ${wanted} debts have no mail`);
  }
}

/** Writes the PDF of a debt, and prints by what it is paid. */
async function printed(billing: BillingClient, { debt_id, name, amount, due_on }: Debt, number: number): Promise<void> {
  const path = resolve(FOLDER, `boleto-${number}.pdf`);
  await writeFile(path, await billing.pdf(debt_id));
  const { digitable_line_formatted, pix_copy_paste, notice } = await billing.boleto(debt_id);
  say(`\n${colour('bold', `R$ ${amount}, due ${due_on}, ${name}`)}${notice ? `: ${notice}` : ''}`);
  say(`  PDF     ${path}\n  boleto  ${digitable_line_formatted}\n  Pix     ${pix_copy_paste}`);
}

/** The bank says three times that a debt is paid: once with a signature of other bytes, then rightly, then once more. */
async function paid(billing: BillingClient, { debt_id, amount }: Debt): Promise<void> {
  const { txid } = await billing.boleto(debt_id);
  const secret = await billing.newSecret();
  const paid_at = new Date().toISOString();
  const payment = {
    event_id: `demo-${randomBytes(6).toString('hex')}`,
    txid,
    paid_amount: amount,
    paid_at,
    method: 'pix',
  };
  say(`\nThe bank says that ${debt_id} is paid: POST /api/billing/webhooks/:company_id/payments, with its txid`);
  const changed = JSON.stringify({ ...payment, paid_amount: '0.01' });
  const answers = [
    { of: 'with a signature of other bytes', wanted: '401 BILLING.SIGNATURE_INVALID', signed: changed },
    { of: 'signed', wanted: '200 recorded' },
    { of: 'signed, once more', wanted: '200 repeated' },
  ];
  for (const { of, wanted, signed } of answers) {
    const { status, says } = await billing.pay(secret, payment, signed);
    say(`  ${of}: ${status} ${says}`);
    ensure(`${status} ${says}` === wanted, `the answer should be ${wanted}`);
  }
  const { status, paid_at: at, sent_at } = await billing.debt(debt_id);
  ensure(status === 'paga' && at !== null, `the debt is ${status}`);
  ensure(sent_at !== null, 'the paid debt had no mail before');
  say(`  the debt is ${colour('green', status)}; its mail had gone out before`);
}

function ensure(isTrue: boolean, wrong: string): void {
  if (!isTrue) throw new CommandError(wrong, EXIT.bug);
}

function secondsSince(since: number): string {
  return `${((Date.now() - since) / 1_000).toFixed(1)} s`;
}
