import type { Folder, Step } from './step.js';

const OF_COMPANY = { company_id: '{{company_id}}' };
const FORM = { ...OF_COMPANY, file: 'postman/cobrancas-exemplo.csv' };
const IMPORT = { id: '{{debts_import_id}}' };
/** Two debts of the example's four: the first is paid, the second cancelled. */
const PAID = { debt_id: 'a73e1574-b658-4942-9ccb-980c00e827ce' };
const CANCELLED = { debt_id: '76c1d70a-3284-4f40-aba6-ba578279968f' };
const COUNTS = '[body.lines, body.blank, body.accepted, body.rejected, body.created, body.repeated, body.conflicting]';
/** A file of one debt that is there by then: it makes no new one. */
const BY_URL =
  'name,governmentId,email,debtAmount,debtDueDate,debtId\n' +
  'Ana Exemplo,52998224725,ana@example.com,150.00,2027-01-15,a73e1574-b658-4942-9ccb-980c00e827ce\n';
const BY_URL_END = "Eva lists Ana's debts";
const NOTICE = 'EXEMPLO, SEM VALOR DE PAGAMENTO';

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

export const billing: Folder = {
  name: '13 Billing',
  description:
    'A CSV of debts is imported, twice, and bills nobody twice. Each debt gets a boleto with a Pix code, from a simulated bank, and ' +
    'an e-mail; one is cancelled and one is paid. With `npm start` the bank is asked each minute, on the plain server every two seconds.',
  steps: [
    {
      name: 'Import a CSV of debts',
      ask: 'importDebts',
      note: '**The file** is `postman/cobrancas-exemplo.csv` of the repository, with good lines and wrong ones.',
      form: FORM,
      status: 201,
      keep: { debts_import_id: 'body.id' },
      tests: {
        'Location is the import':
          "pm.expect(pm.response.headers.get('location')).to.equal('/api/billing/imports/' + body.id)",
        'four debts are new, one line is repeated, one conflicts, eleven are rejected, one is blank': `pm.expect(${COUNTS}).to.eql([18, 1, 6, 11, 4, 1, 1])`,
      },
    },
    {
      name: 'Import the same file again',
      ask: 'importDebts',
      note: 'As after an answer that was lost.',
      form: FORM,
      status: 201,
      tests: {
        'no debt is new': `pm.expect(${COUNTS}).to.eql([18, 1, 6, 11, 0, 5, 1])`,
        'it says which import it repeats':
          "pm.expect(body.repeats_import).to.equal(pm.collectionVariables.get('debts_import_id'))",
      },
    },
    {
      name: 'Import a form without a file',
      ask: 'importDebts',
      form: { ...FORM, file: undefined },
      status: 400,
      code: 'BILLING.FILE_MISSING',
    },
    {
      name: 'List the imports',
      ask: 'listImports',
      query: OF_COMPANY,
      status: 200,
      tests: {
        'the newest is first': "pm.expect(body.data[1].id).to.equal(pm.collectionVariables.get('debts_import_id'))",
      },
    },
    {
      name: 'Get the import',
      ask: 'getImport',
      path: IMPORT,
      query: OF_COMPANY,
      status: 200,
      tests: { 'it is importado': "pm.expect([body.status, body.percent]).to.eql(['importado', 100])" },
    },
    {
      name: 'List its rejects',
      ask: 'listImportRejects',
      path: IMPORT,
      query: OF_COMPANY,
      status: 200,
      tests: {
        'each tells why':
          'pm.expect(body.data.map(({ line, reason }) => [line, reason])).to.eql([\n' +
          "  [8, 'conflict'], [9, 'columns'], [10, 'quotes'], [11, 'name_invalid'], [12, 'government_id_invalid'],\n" +
          "  [13, 'email_invalid'], [14, 'amount_invalid'], [15, 'amount_not_positive'], [16, 'amount_too_large'],\n" +
          "  [17, 'due_date_invalid'], [18, 'due_date_out_of_range'], [19, 'debt_id_invalid'],\n" +
          '])',
      },
    },
    {
      name: 'Export its rejects as CSV',
      ask: 'exportImportRejects',
      path: IMPORT,
      query: OF_COMPANY,
      status: 200,
      tests: { 'a header and twelve rows': "pm.expect(text.trimEnd().split('\\r\\n').length).to.equal(13)" },
    },
    {
      name: 'Get an import that is not there',
      ask: 'getImport',
      path: { id: 'abcdefghijklmnopqrstuvwx' },
      query: OF_COMPANY,
      status: 404,
      code: 'BILLING.IMPORT_NOT_FOUND',
    },
    {
      name: 'List the debts',
      ask: 'listDebts',
      query: OF_COMPANY,
      status: 200,
      tests: {
        'there are four': 'pm.expect([body.data.length, body.next]).to.eql([4, null])',
        'an amount is a text':
          "pm.expect(body.data.map(({ amount }) => amount)).to.include.members(['150.00', '1234.50', '89.90', '1000000.00'])",
      },
    },
    {
      name: 'Export the debts as CSV',
      ask: 'exportDebts',
      query: OF_COMPANY,
      status: 200,
      tests: { 'a header and four rows': "pm.expect(text.trimEnd().split('\\r\\n').length).to.equal(5)" },
    },
    {
      name: 'Wait until a debt has its boleto',
      ask: 'getDebt',
      note: 'In a run of the collection it is asked again, each second, for two minutes at most. By hand: send again.',
      path: PAID,
      query: OF_COMPANY,
      status: 200,
      poll: { until: 'body.invoice !== null', tries: 120, everyMs: 1_000 },
      tests: {
        'it has a boleto': 'pm.expect(body.invoice.barcode.length).to.equal(44)',
        'it has one e-mail': 'pm.expect(body.deliveries.length).to.equal(1)',
      },
    },
    {
      name: 'Wait until its e-mail is enviada',
      ask: 'getDebt',
      note:
        'Each second, for a quarter of a minute at most. With `npm start` the e-mail is a file in `.local/mail/`. Where there is no mail ' +
        'server, as on a plain server without `SMTP_URL`, it stays `pendente`.',
      path: PAID,
      query: OF_COMPANY,
      status: 200,
      poll: { until: "!['pendente', 'tentando'].includes(body.deliveries[0].status)", tries: 15, everyMs: 1_000 },
      tests: {
        'it is enviada, or waits for a mail server':
          "pm.expect(['enviada', 'pendente']).to.include(body.deliveries[0].status)",
      },
    },
    {
      name: 'Send its e-mail again',
      ask: 'resendDebt',
      path: PAID,
      query: OF_COMPANY,
      status: 202,
      otherwise: {
        status: 409,
        code: 'BILLING.DELIVERY_OPEN',
        why: 'there is no mail server here, so the first e-mail is still open',
      },
      tests: { 'it is the next one': "pm.expect([body.number, body.status]).to.eql([2, 'pendente'])" },
    },
    {
      name: 'Say of an e-mail that is not desconhecida that it was sent',
      ask: 'resolveDebtDelivery',
      note: 'Of one that is `desconhecida`, as its connection was lost when all of it was handed over, this is how to settle it.',
      path: { ...PAID, number: '1' },
      query: OF_COMPANY,
      json: {},
      status: 409,
      code: 'BILLING.INVALID_TRANSITION',
    },
    {
      name: 'Say it of an e-mail that is not there',
      ask: 'resolveDebtDelivery',
      path: { ...PAID, number: '99' },
      query: OF_COMPANY,
      json: {},
      status: 404,
      code: 'BILLING.DELIVERY_NOT_FOUND',
    },
    {
      name: 'Get its boleto',
      ask: 'getBoleto',
      path: PAID,
      query: OF_COMPANY,
      status: 200,
      tests: {
        'the bank is simulated': `pm.expect(body.notice).to.equal('${NOTICE}')`,
        'bars, digits and Pix code are there':
          'pm.expect([body.barcode.length, body.digitable_line.length]).to.eql([44, 47]);\n' +
          'pm.expect(body.pix_copy_paste).to.include(body.txid);',
      },
    },
    {
      name: 'Get its boleto as PDF',
      ask: 'getBoletoPdf',
      path: PAID,
      query: OF_COMPANY,
      status: 200,
      tests: { 'it is a PDF': "pm.expect(text.slice(0, 5)).to.equal('%PDF-')" },
    },
    {
      name: 'Get its bars',
      ask: 'getBoletoBarcode',
      path: PAID,
      query: OF_COMPANY,
      status: 200,
      tests: { 'it is an image': "pm.expect(text).to.include('<svg')" },
    },
    {
      name: 'Get its QR code',
      ask: 'getBoletoQrCode',
      path: PAID,
      query: OF_COMPANY,
      status: 200,
      tests: { 'it is an image': "pm.expect(text).to.include('<svg')" },
    },
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
    {
      name: 'Ask for a URL for a file of debts',
      ask: 'createDebtsUpload',
      note: 'For files that are too large for a request. It needs an object store, as a campaign by URL does.',
      json: { ...OF_COMPANY, size: BY_URL.length },
      status: 201,
      otherwise: {
        status: 503,
        code: 'UPLOAD.NOT_CONFIGURED',
        why: 'there is no object store here: the file is passed over',
        goTo: BY_URL_END,
      },
      keep: { debts_upload_id: 'body.id', debts_upload_url: 'body.url' },
    },
    {
      name: 'Send the file of debts',
      ask: {
        method: 'PUT',
        url: '{{debts_upload_url}}',
        description: 'Goes to the object store and not to the API: the URL is signed, for a file of exactly that size.',
        text: BY_URL,
      },
      as: 'nobody',
      status: 200,
    },
    {
      name: 'Wait until the file is an import',
      ask: 'getUpload',
      note: 'In a run of the collection it is asked again, each half second, for a minute and a half at most.',
      path: { id: '{{debts_upload_id}}' },
      status: 200,
      poll: { until: "body.status !== 'esperando' && body.status !== 'recebendo'", tries: 180, everyMs: 500 },
      keep: { debts_import_id: 'body.import_id' },
      tests: { 'it is aceito': "pm.expect([body.status, body.campaign_id]).to.eql(['aceito', null])" },
    },
    {
      name: 'Wait until the import of the file is merged',
      ask: 'getImport',
      note: 'Each second, for two minutes at most. Its debt was there: the file bills nobody twice.',
      path: IMPORT,
      query: OF_COMPANY,
      status: 200,
      poll: { until: "body.status === 'importado'", tries: 120, everyMs: 1_000 },
      tests: { 'its line is repeated': `pm.expect(${COUNTS}).to.eql([1, 0, 1, 0, 0, 1, 0])` },
    },
    {
      name: BY_URL_END,
      ask: 'listDebts',
      as: 'eva',
      query: OF_COMPANY,
      status: 404,
      code: 'COMPANY.NOT_FOUND',
    },
  ],
};
