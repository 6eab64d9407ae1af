import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { barcodeOf } from '../../functions/billing/issue/codes/boleto.js';
import { boletoViewOf } from '../../functions/billing/issue/document/boleto-view.js';
import { boletoPdf } from '../../functions/billing/issue/document/pdf.js';
import { Process } from '../../testing/process.js';
import type { Stage } from '../../testing/stage.js';
import { secondsSince } from '../campaign.js';

const WARM_UP = 200;
const MAILING_MS = 600_000;
const SETTINGS = { beneficiary: 'EMPRESA FICTICIA', city: 'SAO PAULO', pix_key: '11222333000181', agreement: 1 };
const DUE_ON = '2026-12-31';
const CENTS = 15_000;

/** So many PDFs of boletos, one after another in this process, as a sender draws them. Returns the seconds. */
export async function drawBoletos(count: number): Promise<number> {
  for (let number = 1; number <= WARM_UP; number++) await boletoPdf(madeUp(number));
  const begun = performance.now();
  for (let number = 1; number <= count; number++) await boletoPdf(madeUp(number));
  return secondsSince(begun);
}

/** `npm run bill` with the mail server at `url`, or with none. */
export async function billed(stage: Stage, url = ''): Promise<Process> {
  const mails = { SMTP_URL: url, SMTP_FROM: 'cobranca@bench.example' };
  const env = { ...stage.env, ...mails, JWT_SECRET: randomBytes(32).toString('hex') };
  const bill = stage.with(Process.script('bundle/command.js', { env }, ['bill']));
  await bill.exit(MAILING_MS);
  return bill;
}

/**
 * Mails every debt of a stage that has its boleto, through a server that reads each mail to its end and keeps nothing. Returns
 * the seconds from the first begin to the last answer. Throws unless each debt was mailed once.
 */
export async function mailDebts(stage: Stage, debts: number): Promise<number> {
  const server = new KeepsNothing();
  try {
    const bill = await billed(stage, await server.listen());
    const [found] = await stage.sql<{ sent: number; seconds: number }>(
      `SELECT count(*) FILTER (WHERE result = 'enviada')::int AS sent,
              extract(epoch FROM max(ended_at) - min(began_at))::float8 AS seconds FROM billing_attempts`,
    );
    if (found?.sent !== debts || server.taken !== debts)
      throw new Error(`${found?.sent} of ${debts} mails, and ${server.taken} were taken: ${bill.everything}`);
    return found.seconds;
  } finally {
    await server.close();
  }
}

/** A mail server of the npm package smtp-server, on this machine. */
class KeepsNothing {
  taken = 0;
  readonly #server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData: (stream, _, done) => {
      stream.on('end', () => {
        this.taken += 1;
        done();
      });
      stream.resume();
    },
  });

  async listen(): Promise<string> {
    // Connections of a process that has ended are no failure of the run.
    this.#server.on('error', () => {});
    const listening = this.#server.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    return `smtp://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    return new Promise((done) => this.#server.close(done));
  }
}

function madeUp(number: number) {
  const ourNumber = BigInt(number);
  const debt = {
    ...{ seq: String(number), debt_id: randomUUID(), name: `Pessoa Exemplo ${number}`, government_id: '52998224725' },
    ...{ cents: String(CENTS), due_on: DUE_ON, issued_on: '2026-11-30', document: '11222333000181' },
    barcode: barcodeOf({ agreement: SETTINGS.agreement, ourNumber, cents: CENTS, dueOn: DUE_ON }),
  };
  return boletoViewOf(debt, SETTINGS, 'EXEMPLO, SEM VALOR DE PAGAMENTO');
}
