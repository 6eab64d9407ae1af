import type { Folder } from './step.js';

const NEW_EMAIL = (variable: string, name: string): string[] => [
  '// An address of its own each time, so that the collection can be run again.',
  `pm.collectionVariables.set('${variable}', \`${name}.\${Date.now().toString(36)}@example.com\`);`,
];

/** A step that registers a person, whose id and e-mail become variables. */
export function registration(name: string, variables: { email: string; id: string }): Folder['steps'][number] {
  return {
    name: `Register ${name}`,
    ask: 'createUser',
    as: 'nobody',
    before: NEW_EMAIL(variables.email, name.toLowerCase()),
    json: { email: `{{${variables.email}}}`, password: '{{password}}' },
    status: 201,
    keep: { [variables.id]: 'body.id' },
    tests: {
      'is the user who was sent': `pm.expect(body.email).to.equal(pm.collectionVariables.get('${variables.email}'))`,
      'does not tell the password': "pm.expect(text).to.not.include(pm.collectionVariables.get('password'))",
    },
  };
}

export const users: Folder = {
  name: '2 Register and log in',
  description: 'Ana registers and logs in. Her token is in `token` from here on, and goes along with every request.',
  steps: [
    registration('Ana', { email: 'email', id: 'user_id' }),
    {
      name: 'Register the same e-mail again',
      ask: 'createUser',
      as: 'nobody',
      json: { email: '{{email}}', password: '{{password}}' },
      status: 409,
      code: 'USER.EMAIL_TAKEN',
    },
    {
      name: 'Register with a short password',
      ask: 'createUser',
      as: 'nobody',
      json: { email: 'curta@example.com', password: 'curta' },
      status: 400,
      code: 'VALIDATION',
      tests: { 'names the field': "pm.expect(body.errors[0].path).to.equal('password')" },
    },
    {
      name: 'Register with a password that was spoilt on its way',
      ask: 'createUser',
      as: 'nobody',
      note: 'Bytes that are no UTF-8 are refused, and so is U+FFFD, which some clients make of them before they send.',
      json: { email: 'estragada@example.com', password: 'cora\ufffd\ufffdo valente' },
      status: 400,
      code: 'BODY.NOT_UTF8',
    },
    {
      name: 'Log in with a wrong password',
      ask: 'logIn',
      as: 'nobody',
      note: 'An unknown e-mail is answered alike.',
      json: { email: '{{email}}', password: 'senha errada' },
      status: 401,
      code: 'AUTH.INVALID_CREDENTIALS',
    },
    {
      name: 'Log in',
      ask: 'logIn',
      as: 'nobody',
      json: { email: '{{email}}', password: '{{password}}' },
      status: 200,
      keep: { token: 'body.access_token' },
      tests: { 'lasts an hour': 'pm.expect(body.expires_in).to.equal(3600)' },
    },
    {
      name: 'Ask without a token',
      ask: 'listUsers',
      as: 'nobody',
      status: 401,
      code: 'AUTH.TOKEN_MISSING',
    },
    {
      name: 'Ask with a token that is none',
      ask: 'listUsers',
      as: 'forger',
      status: 401,
      code: 'AUTH.TOKEN_INVALID',
    },
    {
      name: 'List users',
      ask: 'listUsers',
      status: 200,
      tests: {
        'Ana sees herself':
          "pm.expect(body.data.map(({ id }) => id)).to.include(pm.collectionVariables.get('user_id'))",
      },
    },
    {
      name: 'Get Ana',
      ask: 'getUser',
      path: { id: '{{user_id}}' },
      status: 200,
      tests: { 'is Ana': "pm.expect(body.id).to.equal(pm.collectionVariables.get('user_id'))" },
    },
    {
      name: "Change Ana's password without the one of now",
      ask: 'updateUser',
      path: { id: '{{user_id}}' },
      json: { email: undefined, password: '{{new_password}}', current_password: undefined },
      status: 400,
      code: 'VALIDATION',
      tests: { 'names the missing field': "pm.expect(body.errors[0].path).to.equal('current_password')" },
    },
    {
      name: "Change Ana's password with a wrong one",
      ask: 'updateUser',
      note: 'Counts as a failed login.',
      path: { id: '{{user_id}}' },
      json: { email: undefined, password: '{{new_password}}', current_password: 'senha errada' },
      status: 403,
      code: 'USER.WRONG_PASSWORD',
    },
    {
      name: "Change Ana's password",
      ask: 'updateUser',
      path: { id: '{{user_id}}' },
      json: { email: undefined, password: '{{new_password}}', current_password: '{{password}}' },
      status: 200,
    },
    {
      name: 'The older token has ended',
      ask: 'getUser',
      path: { id: '{{user_id}}' },
      status: 401,
      code: 'AUTH.TOKEN_INVALID',
    },
    {
      name: 'Log in with the new password',
      ask: 'logIn',
      as: 'nobody',
      json: { email: '{{email}}', password: '{{new_password}}' },
      status: 200,
      keep: { token: 'body.access_token' },
    },
  ],
};
