import type { Folder } from './step.js';

const NUMBERS = "['+5511987654321', '+5521998765432', '+5531987651234', '+5541988887777', '+5585991234567']";

/** The campaigns that the rest of the collection uses. They are made early, as the API answers before all is stored. */
export const campaigns: Folder = {
  name: '4 Send a campaign',
  description:
    'A file of five numbers becomes five messages, in the order of the file. A consumer must run: `npm start` has one.',
  steps: [
    {
      name: 'Create a campaign with a file',
      ask: 'createCampaign',
      note:
        '**The file** is `postman/numeros.txt` of the repository. After an import Postman finds it once the working ' +
        'directory (Settings, General, *Working directory*) is the folder of the repository; or pick the file in Body, ' +
        '`file`, *Select Files*.',
      form: { company_id: '{{company_id}}', file: 'postman/numeros.txt', allow_duplicates: undefined },
      status: 201,
      keep: { campaign_id: 'body.id' },
      tests: {
        'all five numbers are accepted': 'pm.expect([body.total, body.file.accepted]).to.eql([5, 5])',
        'no line is left out of the count':
          'pm.expect(body.file.lines).to.equal(body.file.accepted + body.file.duplicate + body.file.invalid + body.file.blank)',
        'Location is the campaign':
          "pm.expect(pm.response.headers.get('location')).to.equal('/api/campaigns/' + body.id)",
      },
    },
    {
      name: 'Wait until the campaign is enviado',
      ask: 'getCampaign',
      note: 'In a run of the collection it is asked again, each half second, for a minute at most. By hand: send again.',
      path: { id: '{{campaign_id}}' },
      status: 200,
      poll: { until: "body.status === 'enviado'", tries: 120, everyMs: 500 },
      tests: {
        'it is enviado': "pm.expect(body.status).to.equal('enviado')",
        'all five are published and stored':
          'pm.expect([body.total, body.published, body.stored, body.percent]).to.eql([5, 5, 5, 100])',
      },
    },
    {
      name: 'List campaigns',
      ask: 'listCampaigns',
      query: { company_id: '{{company_id}}', status: 'enviado' },
      status: 200,
      tests: {
        'there is one': 'pm.expect(body.total).to.equal(1)',
        'it is ours': "pm.expect(body.data[0].id).to.equal(pm.collectionVariables.get('campaign_id'))",
      },
    },
    {
      name: 'List the messages',
      ask: 'listMessages',
      path: { id: '{{campaign_id}}' },
      status: 200,
      tests: {
        'each number has one message, in order': `pm.expect(body.data.map(({ phone_number }) => phone_number)).to.eql(${NUMBERS})`,
        'they are numbered from 1': 'pm.expect(body.data.map(({ sequence }) => sequence)).to.eql([1, 2, 3, 4, 5])',
        'there is no more': 'pm.expect(body.next).to.equal(null)',
      },
    },
    {
      name: 'List two messages at a time',
      ask: 'listMessages',
      path: { id: '{{campaign_id}}' },
      query: { after: '0', limit: '2' },
      status: 200,
      tests: { 'next begins behind the second': 'pm.expect([body.data.length, body.next]).to.eql([2, 2])' },
    },
    {
      name: 'Export the messages as CSV',
      ask: 'exportMessages',
      path: { id: '{{campaign_id}}' },
      status: 200,
      tests: {
        'a header and five rows': "pm.expect(text.trimEnd().split('\\r\\n').length).to.equal(6)",
        'the header names the columns':
          "pm.expect(text.split('\\r\\n')[0]).to.equal('sequence,phone_number,identifier,message,created_at')",
      },
    },
    {
      name: 'Rename the campaign',
      ask: 'renameCampaign',
      path: { id: '{{campaign_id}}' },
      json: { name: 'Black Friday 2026' },
      status: 200,
      tests: { 'has the new name': "pm.expect(body.name).to.equal('Black Friday 2026')" },
    },
    {
      name: 'Pause a campaign that is finished',
      ask: 'pauseCampaign',
      path: { id: '{{campaign_id}}' },
      status: 409,
      code: 'CAMPAIGN.INVALID_TRANSITION',
    },
  ],
};
