import type { Folder } from './step.js';

const KEY = { 'Idempotency-Key': '{{idempotency_key}}' };
const SAME = { company_id: '{{company_id}}', allow_duplicates: undefined };

export const repeating: Folder = {
  name: '6 Repeat safely',
  description: 'An answer may get lost. With an `Idempotency-Key` the same request sends nothing twice.',
  steps: [
    {
      name: 'Create a campaign with a key',
      ask: 'createCampaign',
      before: ["pm.collectionVariables.set('idempotency_key', 'natal-' + Date.now().toString(36));"],
      headers: KEY,
      json: SAME,
      status: 201,
      keep: { once_id: 'body.id' },
    },
    {
      name: 'Send the same again',
      ask: 'createCampaign',
      headers: KEY,
      json: SAME,
      status: 200,
      tests: { 'it is the first campaign': "pm.expect(body.id).to.equal(pm.collectionVariables.get('once_id'))" },
    },
    {
      name: 'Use the key for another campaign',
      ask: 'createCampaign',
      headers: KEY,
      json: { ...SAME, message: 'Outro texto.' },
      status: 422,
      code: 'CAMPAIGN.IDEMPOTENCY_KEY_REUSED',
    },
  ],
};
