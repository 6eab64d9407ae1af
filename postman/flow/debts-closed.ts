import { CANCELLED, OF_COMPANY, PAID } from './debts-places.js';
import type { Step } from './step.js';

/** A payment of 150.00 by Pix, signed as `signed` says. */
const payment = (name: string, rest: Omit<Step, 'name' | 'ask' | 'before' | 'headers' | 'raw'>): Step => ({
  name,
  ask: 'recordPayment',
  as: 'nobody',
  path: OF_COMPANY,
  before: [
    '// The signature is an HMAC over the time, a point and the bytes of the body, so the body is made here.',
    "const { HmacSHA256 } = require('crypto-js');",
    'const body = JSON.stringify({',
    "  event_id: 'banco-1',",
    `  debt_id: '${PAID.debt_id}',`,
    "  paid_amount: '150.00',",
    "  paid_at: '2026-12-01T10:00:00-03:00',",
    "  method: 'pix',",
    '});',
    'const now = Math.floor(Date.now() / 1000);',
    "const signature = HmacSHA256(now + '.' + body, pm.collectionVariables.get('payments_secret')).toString();",
    "pm.collectionVariables.set('payment_body', body);",
    "pm.collectionVariables.set('payment_signature', 't=' + now + ',v1=' + signature);",
  ],
  headers: { 'X-Disparo-Signature': '{{payment_signature}}' },
  raw: '{{payment_body}}',
  ...rest,
});

/** A debt is cancelled, another is paid, and the report has both. */
export const closed: Step[] = [
  {
    name: 'Cancel another debt',
    ask: 'cancelDebt',
    path: CANCELLED,
    query: OF_COMPANY,
    status: 200,
    tests: { 'it is cancelada': "pm.expect(body.status).to.equal('cancelada')" },
  },
  {
    name: 'Its boleto is not given out any more',
    ask: 'getBoleto',
    path: CANCELLED,
    query: OF_COMPANY,
    status: 409,
    code: 'BILLING.DEBT_CLOSED',
  },
  {
    name: 'No e-mail of it is sent again',
    ask: 'resendDebt',
    path: CANCELLED,
    query: OF_COMPANY,
    status: 409,
    code: 'BILLING.DEBT_CLOSED',
  },
  {
    name: 'See the settings',
    ask: 'getBillingSettings',
    query: OF_COMPANY,
    status: 200,
    tests: {
      'they are the defaults': "pm.expect([body.beneficiary, body.agreement]).to.eql(['EMPRESA FICTICIA', 1])",
    },
  },
  {
    name: 'Change the settings',
    ask: 'setBillingSettings',
    query: OF_COMPANY,
    json: { beneficiary: 'Acme Mensagens Ltda' },
    status: 200,
    tests: { 'the next boletos have the new name': "pm.expect(body.beneficiary).to.equal('Acme Mensagens Ltda')" },
  },
  {
    name: 'Make a secret for payments',
    ask: 'makeBillingWebhookSecret',
    query: OF_COMPANY,
    status: 201,
    keep: { payments_secret: 'body.secret' },
    tests: { 'it is shown this once': 'pm.expect(body.secret).to.match(/^pay_/)' },
  },
  payment('Report a payment', { status: 200, tests: { 'it counts': "pm.expect(body.result).to.equal('recorded')" } }),
  payment('Report it again', {
    note: 'As after an answer that was lost.',
    status: 200,
    tests: { 'it counts once': "pm.expect(body.result).to.equal('repeated')" },
  }),
  {
    ...payment('Report a payment with another signature', { status: 401, code: 'BILLING.SIGNATURE_INVALID' }),
    headers: { 'X-Disparo-Signature': 't=1,v1=00' },
  },
  {
    name: 'The debt is paga',
    ask: 'getDebt',
    path: PAID,
    query: OF_COMPANY,
    status: 200,
    tests: {
      'it is paga, by one payment':
        "pm.expect([body.status, body.paid_cents, body.payments.length]).to.eql(['paga', 15000, 1])",
      'no e-mail of it waits':
        "pm.expect(body.deliveries.filter(({ status }) => status === 'pendente').length).to.equal(0)",
    },
  },
  {
    name: 'A paid debt is not cancelled',
    ask: 'cancelDebt',
    path: PAID,
    query: OF_COMPANY,
    status: 409,
    code: 'BILLING.INVALID_TRANSITION',
  },
  {
    name: 'Get a debt that is not there',
    ask: 'getDebt',
    path: { debt_id: '00000000-0000-4000-8000-000000000000' },
    query: OF_COMPANY,
    status: 404,
    code: 'BILLING.DEBT_NOT_FOUND',
  },
  {
    name: 'Report on the debts',
    ask: 'getBillingReport',
    query: OF_COMPANY,
    status: 200,
    tests: {
      'four were imported, one is paid, one cancelled':
        'pm.expect([body.imported, body.paid, body.cancelled, body.amounts_cents.paid]).to.eql([4, 1, 1, 15000])',
    },
  },
  {
    name: 'Export the report as CSV',
    ask: 'exportBillingReport',
    query: OF_COMPANY,
    status: 200,
    tests: { 'it has a header': 'pm.expect(text).to.match(/^imported,/)' },
  },
];
