import type { Folder } from './step.js';

const MIXED = ['+55 11 98765-4321', '11987654321', 'desconhecido', '1133334444', '119876543', '10987654321', ''];

export const files: Folder = {
  name: '5 Numbers with mistakes',
  description: 'What becomes of lines that are no number, and which requests are refused whole.',
  steps: [
    {
      name: 'Create a campaign from JSON',
      ask: 'createCampaign',
      note: 'The second number is the first one again; then one of each kind of mistake, and a blank line.',
      json: { company_id: '{{company_id}}', phone_numbers: MIXED, allow_duplicates: undefined },
      status: 201,
      keep: { mixed_id: 'body.id' },
      tests: {
        'one is accepted, one is a duplicate, four are invalid, one is blank':
          'const { lines, accepted, duplicate, invalid, blank } = body.file;\n' +
          'pm.expect([lines, accepted, duplicate, invalid, blank]).to.eql([7, 1, 1, 4, 1])',
      },
    },
    {
      name: 'List the rejected lines',
      ask: 'listRejects',
      path: { id: '{{mixed_id}}' },
      status: 200,
      tests: {
        'each tells why':
          'pm.expect(body.data.map(({ line, reason }) => [line, reason])).to.eql([\n' +
          "  [3, 'not_a_number'], [4, 'not_mobile'], [5, 'wrong_length'], [6, 'unknown_ddd'],\n" +
          '])',
      },
    },
    {
      name: 'Export the rejected lines as CSV',
      ask: 'exportRejects',
      path: { id: '{{mixed_id}}' },
      status: 200,
      tests: { 'a header and four rows': "pm.expect(text.trimEnd().split('\\r\\n').length).to.equal(5)" },
    },
    {
      name: 'A form without a file',
      ask: 'createCampaign',
      form: { company_id: '{{company_id}}', file: undefined, allow_duplicates: undefined },
      status: 400,
      code: 'CAMPAIGN.FILE_MISSING',
    },
    {
      name: 'No number that is one',
      ask: 'createCampaign',
      json: { company_id: '{{company_id}}', phone_numbers: ['123'], allow_duplicates: undefined },
      status: 400,
      code: 'CAMPAIGN.FILE_EMPTY',
      tests: { 'counts the lines': 'pm.expect([body.file.lines, body.file.invalid]).to.eql([1, 1])' },
    },
    {
      name: 'Numbers that are no text',
      ask: 'createCampaign',
      note: 'A control character in a number, as in a file that is an image.',
      json: { company_id: '{{company_id}}', phone_numbers: ['11987654321\u0000'], allow_duplicates: undefined },
      status: 400,
      code: 'CAMPAIGN.FILE_NOT_TEXT',
    },
    {
      name: 'A field that is not known',
      ask: 'createCampaign',
      json: { company_id: '{{company_id}}', allow_duplicates: undefined, colour: 'azul' },
      status: 400,
      code: 'VALIDATION',
      tests: { 'names it': "pm.expect(body.errors[0].path).to.equal('colour')" },
    },
  ],
};
