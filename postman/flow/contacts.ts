import type { Folder, Step } from './step.js';

const ID = { id: '{{contact_id}}' };
const ACCEPTED = {
  'the message is that of every accepted user':
    "pm.expect(body.message).to.equal('User add to queue successfully, wait for the result.')",
  'the job is a number, and Location its address':
    "pm.expect(body.job).to.match(/^\\d+$/);\npm.expect(pm.response.headers.get('location')).to.equal('/api/user/' + body.job);",
};

/** Asks for the end of a job that `job`, a variable, holds. */
function endOf(job: string, name: string, [status, message]: [string, string], reason?: string): Step {
  const expected = JSON.stringify([status, message, reason ?? null]);
  return {
    name,
    ask: 'getContactJob',
    as: 'nobody',
    path: { job: `{{${job}}}` },
    query: { wait: '5' },
    status: 200,
    tests: {
      [`it is ${status}, in the words of that status`]: `pm.expect([body.status, body.message, body.reason || null]).to.eql(${expected})`,
    },
  };
}

const COMPLETED: [string, string] = ['completed', 'User created sucessfully'];
const FAILED: [string, string] = ['failed', 'Failed to create user'];

export const contacts: Folder = {
  name: '15 Contacts',
  description:
    'Users with team, projects and logs, one a request, by the hundred thousand. Each request has a job, and each job an ' +
    'end. Needs no login and nothing of the other folders. `/api/user` is not `/api/users`, which are the accounts.',
  steps: [
    {
      name: 'Add a contact',
      ask: 'addContact',
      as: 'nobody',
      before: [
        '// An id of its own each time, so that the collection can be run again.',
        "pm.collectionVariables.set('contact_id', pm.variables.replaceIn('{{$guid}}'));",
      ],
      json: ID,
      status: 202,
      keep: { contact_job: 'body.job' },
      tests: ACCEPTED,
    },
    endOf('contact_job', 'Wait for the end of its job', COMPLETED),
    {
      name: 'Add the same contact again',
      ask: 'addContact',
      as: 'nobody',
      note: 'As after an answer that was lost.',
      json: ID,
      status: 202,
      keep: { same_job: 'body.job' },
      tests: {
        ...ACCEPTED,
        'the job is another one': "pm.expect(body.job).to.not.equal(pm.collectionVariables.get('contact_job'))",
      },
    },
    endOf('same_job', 'The same content is completed too', COMPLETED),
    {
      name: 'Add other content with the same id',
      ask: 'addContact',
      as: 'nobody',
      json: { ...ID, name: 'Outra pessoa' },
      status: 202,
      keep: { other_job: 'body.job' },
      tests: ACCEPTED,
    },
    endOf('other_job', 'Other content has failed', FAILED, 'conflict'),
    {
      name: 'Count the jobs',
      ask: 'getContactStats',
      as: 'nobody',
      status: 200,
      tests: {
        'those of this folder are at their end':
          'pm.expect(body.completed).to.be.at.least(2);\npm.expect(body.failed).to.be.at.least(1);',
      },
    },
    {
      name: 'Add a contact without an age',
      ask: 'addContact',
      as: 'nobody',
      json: { ...ID, age: undefined },
      status: 400,
      code: 'VALIDATION',
      tests: {
        'the message stands next to the problem': "pm.expect(body.message).to.equal('Dados inválidos')",
        'names the field': "pm.expect(body.errors[0].path).to.equal('age')",
      },
    },
    {
      name: 'Ask for a job that is none',
      ask: 'getContactJob',
      as: 'nobody',
      path: { job: '0' },
      status: 400,
      code: 'CONTACT.INVALID_JOB',
      tests: {
        'the message stands next to the problem': "pm.expect(body.message).to.equal('Invalid job id')",
        'says how long it took': "pm.expect(body.timer).to.be.a('number')",
      },
    },
    {
      name: 'Wait for too long',
      ask: 'getContactJob',
      as: 'nobody',
      path: { job: '{{contact_job}}' },
      query: { wait: '31' },
      status: 400,
      code: 'VALIDATION',
      tests: {
        'the message stands next to the problem': "pm.expect(body.message).to.equal('Dados inválidos')",
        'names the parameter': "pm.expect(body.errors[0].path).to.equal('wait')",
      },
    },
  ],
};
