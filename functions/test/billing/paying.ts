import { createHmac } from 'node:crypto';
import type { Answer, ApiStage } from '../../../testing/api-stage.js';
import type { TestBiller } from './fixtures.js';

/** A company with a secret that signs payments, stored by plain SQL. */
export async function withSecret(
  stage: ApiStage,
  { companyNo }: TestBiller,
  secret = `s${companyNo}`,
): Promise<string> {
  await stage.sql('INSERT INTO billing_webhook_secrets (company_no, secret) VALUES ($1, $2)', [companyNo, secret]);
  return secret;
}

/** The header that signs these bytes. */
export function signed(secret: string, body: string | Buffer, t = Math.floor(Date.now() / 1_000)): string {
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex')}`;
}

/** Tells of a payment. A text or bytes are sent as they are. */
export async function pay(
  stage: ApiStage,
  companyId: string,
  secret: string,
  payment: object | string | Buffer,
): Promise<Answer> {
  const body = typeof payment === 'string' || Buffer.isBuffer(payment) ? payment : JSON.stringify(payment);
  const headers = { 'content-type': 'application/json', 'x-disparo-signature': signed(secret, body) };
  const response = await fetch(`${stage.url}/api/billing/webhooks/${companyId}/payments`, {
    method: 'POST',
    headers,
    body,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

/** A payment of a debt, of 100.00 unless told otherwise. */
export function somePayment(debtId: string, values: object = {}): Record<string, unknown> {
  return {
    event_id: `e-${debtId}`,
    debt_id: debtId,
    paid_amount: '100.00',
    paid_at: '2026-11-20T10:00:00-03:00',
    method: 'pix',
    paid_by: 'Fulana de Tal',
    ...values,
  };
}

/** What the tables say of a debt. */
export async function debtRow(stage: ApiStage, seq: string) {
  const [row] = await stage.sql<{ status: string; paid_cents: string; paid_at: Date | null }>(
    'SELECT status, paid_cents, paid_at FROM billing_debts WHERE seq = $1',
    [seq],
  );
  return row && { ...row, paid_at: row.paid_at?.toISOString() ?? null };
}

/** The statuses of a debt's deliveries, by number. */
export async function deliveriesOf(stage: ApiStage, seq: string): Promise<string[]> {
  const rows = await stage.sql<{ status: string }>(
    'SELECT status FROM billing_deliveries WHERE seq = $1 ORDER BY number',
    [seq],
  );
  return rows.map(({ status }) => status);
}
