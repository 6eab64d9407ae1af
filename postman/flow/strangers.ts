import type { Folder } from './step.js';
import { registration } from './users.js';

const begin = registration('Eva', { email: 'eva_email', id: 'eva_id' });

/** The name of the first request. */
export const STRANGERS_BEGIN = begin.name;

export const strangers: Folder = {
  name: '9 What others do not see',
  description: 'Eva is in no company with Ana. What is not hers is not found, as if it were not there.',
  steps: [
    begin,
    {
      name: 'Log in as Eva',
      ask: 'logIn',
      as: 'nobody',
      json: { email: '{{eva_email}}', password: '{{password}}' },
      status: 200,
      keep: { eva_token: 'body.access_token' },
    },
    {
      name: "Eva asks for Ana's campaign",
      ask: 'getCampaign',
      as: 'eva',
      path: { id: '{{campaign_id}}' },
      status: 404,
      code: 'CAMPAIGN.NOT_FOUND',
    },
    {
      name: "Eva asks for Ana's messages",
      ask: 'listMessages',
      as: 'eva',
      path: { id: '{{campaign_id}}' },
      status: 404,
      code: 'CAMPAIGN.NOT_FOUND',
    },
    {
      name: "Eva cancels Ana's campaign",
      ask: 'cancelCampaign',
      as: 'eva',
      path: { id: '{{campaign_id}}' },
      status: 404,
      code: 'CAMPAIGN.NOT_FOUND',
    },
    {
      name: "Eva sends for Ana's company",
      ask: 'createCampaign',
      as: 'eva',
      json: { company_id: '{{company_id}}', allow_duplicates: undefined },
      status: 404,
      code: 'COMPANY.NOT_FOUND',
    },
    {
      name: 'Eva asks for Ana',
      ask: 'getUser',
      as: 'eva',
      path: { id: '{{user_id}}' },
      status: 404,
      code: 'USER.NOT_FOUND',
    },
    {
      name: 'Eva lists her campaigns',
      ask: 'listCampaigns',
      as: 'eva',
      status: 200,
      tests: { 'she has none': 'pm.expect([body.total, body.data]).to.eql([0, []])' },
    },
    {
      name: 'An upload that nobody has',
      ask: 'getUpload',
      path: { id: 'abcdefghijklmnopqrstuvwx' },
      status: 404,
      code: 'UPLOAD.NOT_FOUND',
    },
  ],
};
