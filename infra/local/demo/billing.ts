import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EXIT } from '@disparo/contract';
import { NOWHERE } from '../../../services/bring-up.js';
import { CommandError } from '../../../services/command-error.js';
import { freePort } from '../../../services/ports.js';
import { migrated } from '../migrations.js';
import { Sample } from '../sample/sample.js';
import { appScript } from '../supervise/app-command.js';
import { baseUrl, checkedConfig, untilHealthy } from '../supervise/offline.js';
import { type Session, withServices } from '../supervise/session.js';
import { colour, say } from '../supervise/terminal.js';
import { BillingClient, type Debt, type Import } from './billing-client.js';
import { reportDebts, reportImport } from './billing-report.js';
import { Client } from './client.js';
import { type InputFile, inputFile, megabytes } from './input-file.js';
import { keepingLines } from './kept-lines.js';
import { ownTables } from './own-stores.js';
import { Progress } from './progress.js';

const HOST = '127.0.0.1';
const FOLDER = '.local/billing';
const ROWS = '200';
const SEED = 7;
const SHOWN_BOLETOS = 3;
/** A demo of many debts does not wait until each has its boleto. */
const AWAITED_BOLETOS = 1_000;
const POLL_MS = 100;
const PATIENCE_MS = 300_000;

/**
 * `npm run demo -- --billing [file | --rows=n]`: a file of debts is imported, each debt becomes a boleto with a Pix code, one is
 * paid by a signed webhook, and the same file changes nothing. Needs PostgreSQL alone. Returns the exit code.
 */
export async function demoBilling(args: string[], usage: string): Promise<number> {
  const { given, rows } = parsed(args, usage);
  const found = given === undefined ? undefined : await inputFile(given);
  checkedConfig();
  const begun = performance.timeOrigin;
  say(colour('bold', 'Disparo: a file of debts becomes boletos with Pix codes'));
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
  const databaseUrl = await ownTables(services);
  await migrated(session, databaseUrl);
  return keepingLines(async (keep) => {
    const port = await freePort();
    const own = { ...env, ...NOWHERE, DATABASE_URL: databaseUrl, API_HOST: HOST, API_PORT: String(port) };
    say('Starting the API (plain server), which merges imports and makes boletos every two seconds');
    supervisor.start({ name: 'api', args: appScript('server'), env: own, line: keep('api') });
    const base = baseUrl(HOST, port);
    await supervisor.during(untilHealthy(base, 'postgres'));
    await supervisor.during(show(new Client(base), file));
    say(`\n${colour('green', 'Done')} in ${secondsSince(begun)}, set-up included. Next: npm start`);
    return 0;
  });
}

/** From the log-in to the same file once more. Throws CommandError where something is not as it should be. */
async function show(client: Client, file: InputFile): Promise<void> {
  say(`Logged in as ${await client.enter()}, with a company of their own\n`);
  const billing = new BillingClient(client);
  const first = await imported(billing, file);
  reportImport(file.name, first);
  if (first.created === 0) return;
  await untilGenerated(billing, first.created);
  const debts = await billing.generated(SHOWN_BOLETOS);
  for (const [index, debt] of debts.entries()) await printed(billing, debt, index + 1);
  await paid(billing, debts[0] as Debt);
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

/** Waits for the first boletos; of a large file the server goes on with the others for minutes. */
async function untilGenerated(billing: BillingClient, all: number): Promise<void> {
  const wanted = Math.min(all, AWAITED_BOLETOS);
  const bar = new Progress('Boletos');
  try {
    for (const deadline = Date.now() + PATIENCE_MS; ; await delay(POLL_MS)) {
      const { generated } = await billing.report();
      bar.update(
        Math.min(1, generated / all),
        `${generated.toLocaleString('en')} of ${all.toLocaleString('en')} generated`,
      );
      if (generated >= wanted) return;
      ensure(Date.now() < deadline, `${generated} of ${wanted} boletos after ${PATIENCE_MS / 1_000} s`);
    }
  } finally {
    bar.end();
  }
  if (all > wanted) say('The others are made while the server runs: for now these are enough to look at');
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
  const { status, paid_at: at } = await billing.debt(debt_id);
  ensure(status === 'paga' && at !== null, `the debt is ${status}`);
  say(`  the debt is ${colour('green', status)}`);
}

function ensure(isTrue: boolean, wrong: string): void {
  if (!isTrue) throw new CommandError(wrong, EXIT.bug);
}

function secondsSince(since: number): string {
  return `${((Date.now() - since) / 1_000).toFixed(1)} s`;
}
