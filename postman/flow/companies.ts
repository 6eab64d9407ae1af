import type { Folder } from './step.js';
import { registration } from './users.js';

const NEW_CNPJ = [
  '// A CNPJ of its own each time: twelve digits and two check digits, modulo 11.',
  'const weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];',
  'const digits = Array.from({ length: 12 }, () => Math.floor(Math.random() * 10));',
  'for (const begin of [1, 0]) {',
  '  const rest = digits.reduce((sum, digit, at) => sum + digit * weights[begin + at], 0) % 11;',
  '  digits.push(rest < 2 ? 0 : 11 - rest);',
  '}',
  "const written = digits.join('').replace(/^(..)(...)(...)(....)(..)$/, '$1.$2.$3/$4-$5');",
  "pm.collectionVariables.set('document', written);",
];

export const companies: Folder = {
  name: '3 Companies and members',
  description: 'Ana founds a company, which is what sends. Bia is invited, accepts and goes again.',
  steps: [
    {
      name: 'Create a company with a wrong CNPJ',
      ask: 'createCompany',
      json: { document: '11.222.333/0001-00' },
      status: 400,
      code: 'COMPANY.DOCUMENT_INVALID',
    },
    {
      name: 'Create a company',
      ask: 'createCompany',
      before: NEW_CNPJ,
      json: { document: '{{document}}' },
      status: 201,
      keep: { company_id: 'body.id' },
      tests: {
        'the CNPJ is kept without punctuation':
          "pm.expect(body.document).to.equal(pm.collectionVariables.get('document').replace(/\\D/g, ''))",
      },
    },
    {
      name: 'Found another with the same CNPJ',
      ask: 'createCompany',
      json: { name: 'Outra Ltda', document: '{{document}}' },
      status: 409,
      code: 'COMPANY.DOCUMENT_TAKEN',
    },
    {
      name: 'List companies',
      ask: 'listCompanies',
      status: 200,
      tests: {
        'there is the new one': "pm.expect(body.data[0].id).to.equal(pm.collectionVariables.get('company_id'))",
      },
    },
    { name: 'Get the company', ask: 'getCompany', path: { id: '{{company_id}}' }, status: 200 },
    {
      name: 'Rename the company',
      ask: 'updateCompany',
      path: { id: '{{company_id}}' },
      json: { name: 'Acme Mensagens Ltda', document: undefined },
      status: 200,
      tests: { 'has the new name': "pm.expect(body.name).to.equal('Acme Mensagens Ltda')" },
    },
    registration('Bia', { email: 'bia_email', id: 'bia_id' }),
    {
      name: 'Log in as Bia',
      ask: 'logIn',
      as: 'nobody',
      json: { email: '{{bia_email}}', password: '{{password}}' },
      status: 200,
      keep: { bia_token: 'body.access_token' },
    },
    {
      name: 'Bia does not see the company yet',
      ask: 'getCompany',
      as: 'bia',
      path: { id: '{{company_id}}' },
      status: 404,
      code: 'COMPANY.NOT_FOUND',
    },
    {
      name: 'Invite Bia',
      ask: 'putMember',
      path: { id: '{{company_id}}' },
      json: { email: '{{bia_email}}' },
      status: 201,
      tests: {
        'Bia is invited as a member, and is none yet':
          "pm.expect([body.role, body.accepted_at]).to.eql(['member', null])",
      },
    },
    {
      name: 'Bia does not see the company before she accepts',
      ask: 'getCompany',
      as: 'bia',
      path: { id: '{{company_id}}' },
      status: 404,
      code: 'COMPANY.NOT_FOUND',
    },
    {
      name: 'Bia lists her invitations',
      ask: 'listInvitations',
      as: 'bia',
      status: 200,
      tests: {
        'there is the one of Ana':
          "pm.expect(body.data[0].company_id).to.equal(pm.collectionVariables.get('company_id'))",
      },
    },
    {
      name: 'Bia declines',
      ask: 'declineInvitation',
      as: 'bia',
      path: { company_id: '{{company_id}}' },
      status: 204,
    },
    {
      name: 'What is declined cannot be accepted',
      ask: 'acceptInvitation',
      as: 'bia',
      path: { company_id: '{{company_id}}' },
      status: 404,
      code: 'INVITATION.NOT_FOUND',
    },
    {
      name: 'Invite Bia again',
      ask: 'putMember',
      path: { id: '{{company_id}}' },
      json: { email: '{{bia_email}}' },
      status: 201,
    },
    {
      name: 'Bia accepts',
      ask: 'acceptInvitation',
      as: 'bia',
      path: { company_id: '{{company_id}}' },
      status: 200,
      tests: { 'Bia is a member': "pm.expect(body.accepted_at).to.be.a('string')" },
    },
    {
      name: 'List the members',
      ask: 'listMembers',
      path: { id: '{{company_id}}' },
      status: 200,
      tests: { 'there are two': 'pm.expect(body.total).to.equal(2)' },
    },
    {
      name: 'Bia may not rename the company',
      ask: 'updateCompany',
      as: 'bia',
      path: { id: '{{company_id}}' },
      json: { name: 'Bia Ltda', document: undefined },
      status: 403,
      code: 'COMPANY.NOT_OWNER',
    },
    {
      name: 'Ana may not change Bia',
      ask: 'updateUser',
      path: { id: '{{bia_id}}' },
      json: { email: undefined, password: '{{new_password}}', current_password: '{{new_password}}' },
      status: 403,
      code: 'USER.NOT_YOURSELF',
    },
    {
      name: 'The last owner cannot leave',
      ask: 'removeMember',
      path: { id: '{{company_id}}', user_id: '{{user_id}}' },
      status: 409,
      code: 'USER.LAST_OWNER',
    },
    { name: 'Let Bia go', ask: 'removeMember', path: { id: '{{company_id}}', user_id: '{{bia_id}}' }, status: 204 },
  ],
};
