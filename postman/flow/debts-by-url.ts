import { COUNTS, IMPORT, OF_COMPANY } from './debts-places.js';
import type { Step } from './step.js';

/** A file of one debt that is there by then: it makes no new one. */
const BY_URL =
  'name,governmentId,email,debtAmount,debtDueDate,debtId\n' +
  'Ana Exemplo,52998224725,ana@example.com,150.00,2027-01-15,a73e1574-b658-4942-9ccb-980c00e827ce\n';
const BY_URL_END = "Eva lists Ana's debts";

/** A file of debts that is too large for a request. */
export const byUrl: Step[] = [
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
];
