import type { Folder, Otherwise } from './step.js';
import { UPLOADS_BEGIN } from './uploads.js';

const COUNT = 100_000;
const TOO_LATE: Otherwise = {
  status: 409,
  code: 'CAMPAIGN.INVALID_TRANSITION',
  why: 'all messages were stored before this request came: the rest of the folder is passed over',
  goTo: UPLOADS_BEGIN,
};

export const steering: Folder = {
  name: '7 Pause, resume, cancel',
  description:
    `A campaign of ${COUNT.toLocaleString('en')} numbers, which takes seconds to store, so that it can be met on its way. ` +
    'Run the folder: by hand one is too late, and a campaign that is `enviado` takes no pause.',
  steps: [
    {
      name: 'Create a campaign that takes a while',
      ask: 'createCampaign',
      before: [
        `const numbers = Array.from({ length: ${COUNT} }, (_, at) => \`+55119\${20000000 + at}\`);`,
        "pm.variables.set('many_numbers_json', JSON.stringify(numbers));",
      ],
      json: { company_id: '{{company_id}}', phone_numbers: '{{many_numbers_json}}', allow_duplicates: undefined },
      status: 201,
      keep: { long_id: 'body.id' },
      tests: { 'all numbers are accepted': `pm.expect(body.file.accepted).to.equal(${COUNT})` },
    },
    {
      name: 'Pause the campaign',
      ask: 'pauseCampaign',
      path: { id: '{{long_id}}' },
      status: 200,
      otherwise: TOO_LATE,
      tests: { 'it is pausado': "pm.expect(body.status).to.equal('pausado')" },
    },
    {
      name: 'Pause the campaign again',
      ask: 'pauseCampaign',
      path: { id: '{{long_id}}' },
      status: 200,
      tests: { 'it is pausado still': "pm.expect(body.status).to.equal('pausado')" },
    },
    {
      name: 'Resume the campaign',
      ask: 'resumeCampaign',
      path: { id: '{{long_id}}' },
      status: 200,
      tests: { 'it goes on': "pm.expect(body.status).to.be.oneOf(['pendente', 'enfileirado', 'enviando', 'enviado'])" },
    },
    {
      name: 'Cancel the campaign',
      ask: 'cancelCampaign',
      path: { id: '{{long_id}}' },
      status: 200,
      otherwise: TOO_LATE,
      tests: { 'it is cancelado': "pm.expect(body.status).to.equal('cancelado')" },
    },
    {
      name: 'Resume what is cancelled',
      ask: 'resumeCampaign',
      path: { id: '{{long_id}}' },
      status: 409,
      code: 'CAMPAIGN.INVALID_TRANSITION',
    },
  ],
};
