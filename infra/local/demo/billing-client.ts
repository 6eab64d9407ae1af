import { createHmac } from 'node:crypto';
import { EXIT } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';
import type { Client } from './client.js';
import type { InputFile } from './input-file.js';

/** What the demo reads of an import. */
export interface Import {
  id: string;
  status: 'importando' | 'importado';
  lines: number;
  blank: number;
  accepted: number;
  rejected: number;
  waiting: number;
  created: number;
  repeated: number;
  conflicting: number;
  percent: number;
  rejects: { line: number; column: string; value: string; reason: string }[];
}

/** What the demo reads of a debt. */
export interface Debt {
  debt_id: string;
  name: string;
  email: string;
  amount: string;
  due_on: string;
  status: string;
  txid: string;
  sent_at: string | null;
  paid_at: string | null;
}

/** By what a debt is paid. */
export interface Boleto {
  digitable_line_formatted: string;
  pix_copy_paste: string;
  txid: string;
  notice?: string;
}

/** How a company's debts stand. */
export interface Report {
  imported: number;
  generated: number;
  sent: number;
  failed: number;
  held: number;
  paid: number;
  cancelled: number;
  overdue: number;
  amounts_cents: Record<string, number>;
  by_status: Record<string, number>;
}

/** What an answer to a payment says. */
export interface PaymentAnswer {
  status: number;
  /** The result, or the code of the problem. */
  says: string;
}

const REQUEST_TIMEOUT_MS = 30_000;

/** Billing, as a person with a company sees it over HTTP, and as a bank does. Throws CommandError. */
export class BillingClient {
  readonly #company: string;

  constructor(private readonly client: Client) {
    this.#company = `company_id=${client.company}`;
  }

  import(file: InputFile, sent: (bytes: number) => void): Promise<Import> {
    return this.client.sendFile<Import>('/api/billing/imports', { company_id: this.client.company }, file, sent);
  }

  imported(id: string): Promise<Import> {
    return this.client.call('GET', `/api/billing/imports/${id}?${this.#company}`);
  }

  /** The first debts: they get their boletos and mails first. */
  async debts(limit: number): Promise<Debt[]> {
    const path = `/api/billing/debts?${this.#company}&limit=${limit}`;
    return (await this.client.call<{ data: Debt[] }>('GET', path)).data;
  }

  debt(id: string): Promise<Debt> {
    return this.client.call('GET', `/api/billing/debts/${id}?${this.#company}`);
  }

  boleto(id: string): Promise<Boleto> {
    return this.client.call('GET', `/api/billing/debts/${id}/boleto?${this.#company}`);
  }

  pdf(id: string): Promise<Buffer> {
    return this.client.bytes(`/api/billing/debts/${id}/boleto.pdf?${this.#company}`);
  }

  report(): Promise<Report> {
    return this.client.call('GET', `/api/billing/report?${this.#company}`);
  }

  /** A new secret, with which a bank signs. */
  async newSecret(): Promise<string> {
    const path = `/api/billing/settings/webhook-secrets?${this.#company}`;
    return (await this.client.call<{ secret: string }>('POST', path)).secret;
  }

  /** Sends a payment as a bank does, without a login. `signed`: the text that the signature is of. */
  async pay(secret: string, payment: object, signed = JSON.stringify(payment)): Promise<PaymentAnswer> {
    const now = Math.floor(Date.now() / 1_000);
    const signature = createHmac('sha256', secret).update(`${now}.${signed}`).digest('hex');
    const response = await fetch(`${this.client.base}/api/billing/webhooks/${this.client.company}/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-disparo-signature': `t=${now},v1=${signature}` },
      body: JSON.stringify(payment),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    }).catch((error: Error) => {
      throw new CommandError(`The API does not answer: ${error.message}`, EXIT.bug);
    });
    const { result, code } = (await response.json()) as { result?: string; code?: string };
    return { status: response.status, says: result ?? code ?? '' };
  }
}
