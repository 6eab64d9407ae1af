import { createReadStream } from 'node:fs';
import { loadavg } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import copy from 'pg-copy-streams';
import { Client } from '../../infra/local/demo/client.js';
import type { Stage } from '../../testing/stage.js';
import { secondsSince } from '../campaign.js';
import { costOf, resetPeak } from '../cost.js';
import type { Plan } from '../plan.js';
import { billed, drawBoletos, mailDebts } from './billing-mails.js';
import { startedServer } from './contacts.js';
import { type DebtsFile, debtsFile } from './debts-file.js';

/** What is measured of a file of debts. The second, the third and the last are compared with the one before each. */
export const BILLING_WAYS = ['copied and inserted', 'imported', 'imported again', 'issued', 'drawn', 'mailed'] as const;

/** The name of a way. */
export type BillingWay = (typeof BILLING_WAYS)[number];

/** A file of debts that came into its table, or the boletos or mails of one. */
export interface BillingMeasure {
  way: BillingWay;
  lines: number;
  seconds: number;
  /** The most memory of the server meanwhile; undefined where no server takes part or the system does not say. */
  peakMb?: number | undefined;
  /** Load average of one minute when it was done. */
  load: number;
}

/** What is read of an import. */
interface Import {
  id: string;
  status: string;
  created: number;
  repeated: number;
}

const WARM_UP = 1_000;
const WARM_UP_SEED = 2;
const POLL_MS = 20;

/** The columns of the file, with the types that its values have. */
const STAGING = `CREATE TEMP TABLE bench_lines (
  name text, government_id text, email text, amount numeric, due_on date, debt_id uuid, line int GENERATED ALWAYS AS IDENTITY)`;
/** With the same columns, checks and indexes as the table of debts. */
const TARGET = 'CREATE TABLE bench_debts (LIKE billing_debts INCLUDING ALL)';
const COPY = `COPY bench_lines (name, government_id, email, amount, due_on, debt_id) FROM STDIN (FORMAT csv, HEADER)`;
const INSERT = `INSERT INTO bench_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
  SELECT 1, debt_id, 1, line + 1, name, government_id, email, (amount * 100)::bigint, due_on FROM bench_lines
  ON CONFLICT (company_no, debt_id) DO NOTHING`;

/** Every round, on a stage a way. The ways take turns, so that other load on the machine affects all of them. */
export async function measureBilling(
  { lines, issued, mailed, rounds }: Plan['billing'],
  say: (line: string) => void,
  onStage: (work: (stage: Stage) => Promise<BillingMeasure[]>) => Promise<BillingMeasure[]>,
): Promise<BillingMeasure[]> {
  const [large, small, few] = [debtsFile(lines), debtsFile(issued), debtsFile(mailed)];
  const turns = [
    { what: 'copied and inserted', file: large, work: measureCopied },
    { what: 'imported twice', file: large, work: measureImports },
    { what: 'issued', file: small, work: measureIssued },
    { what: 'drawn and mailed', file: few, work: measureMailed },
  ];
  const measured: BillingMeasure[] = [];
  try {
    for (let round = 1; round <= rounds; round++)
      for (const { what, file, work } of turns) {
        const number = file.lines.toLocaleString('en');
        say(`billing, ${what}, ${number} lines, round ${round} of ${rounds}, load average ${loadNow().toFixed(1)}`);
        measured.push(...(await onStage((stage) => work(stage, file))));
      }
  } finally {
    for (const file of [large, small, few]) file.remove();
  }
  return measured;
}

/** COPY of the file into a table, and INSERT ... ON CONFLICT DO NOTHING of it into one like that of debts. */
async function measureCopied({ pool }: Stage, file: DebtsFile): Promise<BillingMeasure[]> {
  const client = await pool.connect();
  try {
    await client.query(`${STAGING}; ${TARGET}`);
    const begun = performance.now();
    await client.query('BEGIN');
    await pipeline(createReadStream(file.path), client.query(copy.from(COPY)));
    const { rowCount } = await client.query(INSERT);
    await client.query('COMMIT');
    const seconds = secondsSince(begun);
    if (rowCount !== file.lines) throw new Error(`${rowCount} of ${file.lines} lines were inserted`);
    return [{ way: 'copied and inserted', lines: file.lines, seconds, load: loadNow() }];
  } finally {
    client.release();
  }
}

/** The file over HTTP, from the first byte until its import is merged, and then the same file once more. */
async function measureImports(stage: Stage, file: DebtsFile): Promise<BillingMeasure[]> {
  const { process, base } = await server(stage);
  const client = await billingClient(base);
  const measured: BillingMeasure[] = [];
  for (const way of ['imported', 'imported again'] as const) {
    resetPeak(process);
    const begun = performance.now();
    const { created, repeated } = await imported(client, file);
    const seconds = secondsSince(begun);
    const wanted = way === 'imported' ? [file.lines, 0] : [0, file.lines];
    if (created !== wanted[0] || repeated !== wanted[1])
      throw new Error(`${way}: ${created} created, ${repeated} repeated of ${file.lines} lines`);
    measured.push({ way, lines: file.lines, seconds, peakMb: costOf(process)?.peakMb, load: loadNow() });
  }
  return measured;
}

/** One `npm run bill`, from the first question to the bank to the last boleto. */
async function measureIssued(stage: Stage, file: DebtsFile): Promise<BillingMeasure[]> {
  const { lines, seconds } = await issued(stage, file);
  return [{ way: 'issued', lines, seconds, load: loadNow() }];
}

/** As many PDFs drawn in this process as mails are sent by one `npm run bill` after it, whose boletos are there before. */
async function measureMailed(stage: Stage, file: DebtsFile): Promise<BillingMeasure[]> {
  const { lines } = await issued(stage, file);
  const drawn = { way: 'drawn', lines, seconds: await drawBoletos(lines), load: loadNow() } as const;
  return [drawn, { way: 'mailed', lines, seconds: await mailDebts(stage, lines), load: loadNow() }];
}

/** Imports a file, and has its boletos made. */
async function issued(stage: Stage, file: DebtsFile): Promise<{ lines: number; seconds: number }> {
  const { process, base } = await server(stage);
  await imported(await billingClient(base), file);
  await process.stop();
  const bill = await billed(stage);
  const [found] = await stage.sql<{ issued: number; seconds: number }>(
    `SELECT count(issued_at)::int AS issued, extract(epoch FROM max(issued_at) - min(asked_at))::float8 AS seconds
       FROM billing_debts`,
  );
  const expected = file.lines + WARM_UP;
  if (found?.issued !== expected) throw new Error(`${found?.issued} of ${expected} boletos: ${bill.everything}`);
  return { lines: expected, seconds: found.seconds };
}

/** A server that runs no duty: none issues boletos while a file is merged. */
function server(stage: Stage) {
  return startedServer(stage, 'accept');
}

/** A person with a company that has imported a small file: a new process compiles its code meanwhile. */
async function billingClient(base: string): Promise<Client> {
  const client = new Client(base);
  await client.enter();
  const small = debtsFile(WARM_UP, WARM_UP_SEED);
  try {
    await imported(client, small);
  } finally {
    small.remove();
  }
  return client;
}

async function imported(client: Client, file: DebtsFile): Promise<Import> {
  const company_id = client.company;
  let now = await client.sendFile<Import>('/api/billing/imports', { company_id }, file, () => {});
  while (now.status !== 'importado') {
    await delay(POLL_MS);
    now = await client.call<Import>('GET', `/api/billing/imports/${now.id}?company_id=${company_id}`);
  }
  return now;
}

function loadNow(): number {
  return loadavg()[0] ?? 0;
}
