import type { Folder } from './step.js';

export const cleaning: Folder = {
  name: '14 Clean up',
  description: 'Everything that was made goes again. What is deleted is not found, and cannot log in.',
  steps: [
    {
      name: 'The last owner cannot be deleted',
      ask: 'deleteUser',
      path: { id: '{{user_id}}' },
      status: 409,
      code: 'USER.LAST_OWNER',
    },
    { name: 'Delete the campaign', ask: 'deleteCampaign', path: { id: '{{campaign_id}}' }, status: 204 },
    {
      name: 'The deleted campaign is not found',
      ask: 'getCampaign',
      path: { id: '{{campaign_id}}' },
      status: 404,
      code: 'CAMPAIGN.NOT_FOUND',
    },
    { name: 'Delete the company', ask: 'deleteCompany', path: { id: '{{company_id}}' }, status: 204 },
    {
      name: 'Its other campaigns went with it',
      ask: 'listCampaigns',
      status: 200,
      tests: { 'there is none': 'pm.expect(body.total).to.equal(0)' },
    },
    { name: 'Delete Bia', ask: 'deleteUser', as: 'bia', path: { id: '{{bia_id}}' }, status: 204 },
    { name: 'Delete Eva', ask: 'deleteUser', as: 'eva', path: { id: '{{eva_id}}' }, status: 204 },
    { name: 'Delete Ana', ask: 'deleteUser', path: { id: '{{user_id}}' }, status: 204 },
    {
      name: 'Who is deleted cannot log in',
      ask: 'logIn',
      as: 'nobody',
      json: { email: '{{email}}', password: '{{new_password}}' },
      status: 401,
      code: 'AUTH.INVALID_CREDENTIALS',
    },
  ],
};
