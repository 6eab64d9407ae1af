import { byUrl } from './debts-by-url.js';
import { closed } from './debts-closed.js';
import { COUNTS, IMPORT, OF_COMPANY, PAID } from './debts-places.js';
import type { Folder } from './step.js';

const FORM = { ...OF_COMPANY, file: 'postman/cobrancas-exemplo.csv' };
const NOTICE = 'EXEMPLO, SEM VALOR DE PAGAMENTO';

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
    ...closed,
    ...byUrl,
  ],
};
