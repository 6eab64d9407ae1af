import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiStage } from '../../../testing/api-stage.js';
import { added, type ContactBody, endOf, post, rowsOf, someContact, stored, WORDS } from './fixtures.js';

const LIMIT_BYTES = 256 * 1_024;
const INVALID = {
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: expect.any(String),
  code: 'VALIDATION',
  message: WORDS.invalid,
};

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

/** Sends bytes with exactly these headers. */
async function send(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Answer> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const response = await fetch(`${stage.url}/api/user`, { method: 'POST', headers, body: bytes });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

const sendJson = (text: string) => send(text, { 'content-type': 'application/json' });

/** A 400 of VALIDATION that names these fields, and no others. */
function expectInvalid({ status, headers, body }: Answer, ...paths: string[]): void {
  expect([status, headers.get('content-type')]).toEqual([400, 'application/problem+json; charset=utf-8']);
  expect(body).toEqual({ ...INVALID, errors: paths.map((path) => ({ path, message: expect.any(String) })) });
}

test('an accepted user is answered with 202, the words, a job and its address', async () => {
  const { status, headers, body } = await post(stage, someContact());
  expect(status).toBe(202);
  expect(body).toEqual({ message: WORDS.accepted, job: expect.stringMatching(/^[1-9]\d{0,15}$/) });
  expect(headers.get('location')).toBe(`/api/user/${body.job}`);
});

describe('a body that is no user', () => {
  test.each([
    ['nothing', ''],
    ['no JSON', '{"id":'],
    ['a word', 'user'],
    ['an array', '[]'],
    ['an array of a user', JSON.stringify([someContact()])],
    ['null', 'null'],
    ['a number', '7'],
    ['a text', '"user"'],
  ])('%s is 400 with an error of the whole body', async (_, text) => {
    expectInvalid(await sendJson(text), '');
  });

  test('no body and no content type is 400', async () => {
    expectInvalid(await stage.api('POST', '/api/user'), '');
  });

  test('an empty object lacks every field', async () => {
    expectInvalid(await sendJson('{}'), 'id', 'name', 'age', 'score', 'active', 'country', 'team', 'logs');
  });

  test.each([
    ['__proto__', '"__proto__":{"a":1}'],
    ['constructor with a prototype', '"constructor":{"prototype":{"a":1}}'],
  ])('%s is 400', async (_, member) => {
    const text = JSON.stringify(someContact()).replace('{', `{${member},`);
    expectInvalid(await sendJson(text), '');
  });

  test('__proto__ deep inside is 400', async () => {
    const text = JSON.stringify(someContact()).replace('"leader"', '"__proto__":{},"leader"');
    expectInvalid(await sendJson(text), '');
  });

  test.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'application/octet-stream'])(
    '%s is 415 with the words',
    async (type) => {
      const { status, body } = await send(JSON.stringify(someContact()), { 'content-type': type });
      expect(status).toBe(415);
      expect(body).toEqual({ ...INVALID, title: 'Unsupported Media Type', status: 415 });
    },
  );

  test('a form is 400', async () => {
    const form = new FormData();
    form.set('id', '1');
    const { status, body } = await post(stage, form);
    expect([status, body.code, body.message]).toEqual([400, 'VALIDATION', WORDS.invalid]);
    expect(body.errors).toEqual(expect.arrayContaining([{ path: expect.any(String), message: expect.any(String) }]));
  });
});

describe('a body of 256 KiB', () => {
  const padded = (bytes: number) => JSON.stringify(someContact()).padEnd(bytes, ' ');

  test('is taken', async () => {
    expect((await sendJson(padded(LIMIT_BYTES))).status).toBe(202);
  });

  test('and one byte is 413 with the words', async () => {
    const { status, body } = await sendJson(padded(LIMIT_BYTES + 1));
    expect(status).toBe(413);
    const title = expect.any(String);
    expect(body).toEqual({ ...INVALID, title, status: 413, code: 'CONTACT.TOO_LARGE' });
  });
});

const UNITS_200 = 'a'.repeat(200);
const EMOJI_100 = '😀'.repeat(100);
const project = (name: string) => ({ name, completed: true });
const login = (date: string) => ({ date, action: 'login' as const });
const team = (over: object): ContactBody['team'] => ({ ...someContact().team, ...over });

describe('a user that is taken', () => {
  const texts = ['a', ' a ', UNITS_200, EMOJI_100, '\ufeffAna', 'Ana\u0300', '\u007fa\u0080', 'São João "\\/ \u2028'];
  const cases: [what: string, over: Partial<ContactBody>][] = [
    ...texts.flatMap((name): [string, Partial<ContactBody>][] => [
      [`name ${JSON.stringify(name).slice(0, 20)}`, { name }],
      [`country ${JSON.stringify(name).slice(0, 20)}`, { country: name }],
      [`team.name ${JSON.stringify(name).slice(0, 20)}`, { team: team({ name }) }],
      [`project name ${JSON.stringify(name).slice(0, 20)}`, { team: team({ projects: [project(name)] }) }],
    ]),
    ...[0, 150].map((age): [string, Partial<ContactBody>] => [`age ${age}`, { age }]),
    ...[0, -1, 0.1, 1e300, Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 123_456_789.123_456_79].map(
      (score): [string, Partial<ContactBody>] => [`score ${score}`, { score }],
    ),
    ['inactive', { active: false }],
    ['no projects and no logs', { team: team({ projects: [] }), logs: [] }],
    [
      '100 projects, some the same',
      { team: team({ projects: Array.from({ length: 100 }, (_, at) => project(`p${at % 7}`)) }) },
    ],
    [
      '1,000 logs, some the same',
      { logs: Array.from({ length: 1_000 }, (_, at) => login(`2024-02-${String((at % 29) + 1).padStart(2, '0')}`)) },
    ],
    ...['0001-01-01', '9999-12-31', '2024-02-29', '2000-02-29'].map((date): [string, Partial<ContactBody>] => [
      `date ${date}`,
      { logs: [login(date)] },
    ]),
    ...[
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      'A0EEBC99-9C0B-1EF8-BB6D-6BB9BD380A11',
      'a0eebc99-9c0b-4ef8-0b6d-6bb9bd380a12',
      '017F22E2-79B0-7CC3-98C4-DC0C0C07398F',
      'a0eebc99-9c0b-fef8-fb6d-6bb9bd380a13',
    ].map((id): [string, Partial<ContactBody>] => [`id ${id}`, { id }]),
  ];

  test.each(cases)('%s is stored as given', async (_, over) => {
    const contact = someContact(over);
    expect(await endOf(stage, await added(stage, contact))).toBe('completed');
    expect(await stored(stage, contact)).toEqual(rowsOf(contact));
  });

  test.each([
    ['-0 as 0', '"score":87.5', '"score":-0', { score: 0 }],
    ['19.0 as 19', '"age":31', '"age":19.0', { age: 19 }],
    ['1e1 as 10', '"age":31', '"age":1e1', { age: 10 }],
    ['a name with \\u0041 as A', '"name":"Ana', '"name":"\\u0041na', { name: 'Ana Maria Souza' }],
    ['the last of a doubled key', '"age":31', '"age":31,"age":32', { age: 32 }],
    ['the last of a doubled key, a bad first', '"age":31', '"age":"x","age":33', { age: 33 }],
  ])('%s', async (_, from, to, becomes) => {
    const contact = someContact();
    const { status, body } = await sendJson(JSON.stringify(contact).replace(from, to));
    expect([status, body.message]).toEqual([202, WORDS.accepted]);
    expect(await endOf(stage, String(body.job))).toBe('completed');
    expect(await stored(stage, contact)).toEqual(rowsOf({ ...contact, ...becomes }));
  });

  test('ids of team, projects and logs may be any numbers, and are dropped', async () => {
    const contact = someContact();
    contact.team.id = -1.5;
    contact.team.projects = [
      { id: 7, name: 'same id', completed: true },
      { id: 7, name: 'same id', completed: false },
    ];
    contact.logs = [{ id: 1e21, date: '2025-01-01', action: 'logout' }];
    expect(await endOf(stage, await added(stage, contact))).toBe('completed');
    expect(await stored(stage, contact)).toEqual(rowsOf(contact));
  });
});

describe('a user that is refused', () => {
  const bad: [what: string, over: object, path: string][] = [
    ...[
      '',
      ' ',
      '\u00a0\u2003',
      `${UNITS_200}a`,
      `${EMOJI_100}a`,
      'a\u0000',
      'a\nb',
      '\u001fa',
      'a\ud83d',
      '\ude00a',
    ].flatMap((text): [string, object, string][] => {
      const what = JSON.stringify(text).slice(0, 12);
      return [
        [`name ${what}`, { name: text }, 'name'],
        [`country ${what}`, { country: text }, 'country'],
        [`team.name ${what}`, { team: team({ name: text }) }, 'team.name'],
        [`project ${what}`, { team: team({ projects: [project('a'), project(text)] }) }, 'team.projects.1.name'],
      ];
    }),
    ...[null, 7, true, ['a'], {}].map((name): [string, object, string] => [
      `name ${JSON.stringify(name)}`,
      { name },
      'name',
    ]),
    ...[-1, 151, 1.5, '31', null, true].map((age): [string, object, string] => [
      `age ${JSON.stringify(age)}`,
      { age },
      'age',
    ]),
    ...['1', null, true, []].map((score): [string, object, string] => [
      `score ${JSON.stringify(score)}`,
      { score },
      'score',
    ]),
    ...['true', 1, 0, null].flatMap((flag): [string, object, string][] => [
      [`active ${JSON.stringify(flag)}`, { active: flag }, 'active'],
      [`leader ${JSON.stringify(flag)}`, { team: team({ leader: flag }) }, 'team.leader'],
      [
        `completed ${JSON.stringify(flag)}`,
        { team: team({ projects: [{ name: 'a', completed: flag }] }) },
        'team.projects.0.completed',
      ],
    ]),
    ['no team', { team: undefined }, 'team'],
    ['team null', { team: null }, 'team'],
    ['team a list', { team: [] }, 'team'],
    ['no projects', { team: team({ projects: undefined }) }, 'team.projects'],
    ['projects null', { team: team({ projects: null }) }, 'team.projects'],
    ['101 projects', { team: team({ projects: Array.from({ length: 101 }, () => project('a')) }) }, 'team.projects'],
    ['a project null', { team: team({ projects: [null] }) }, 'team.projects.0'],
    ['logs an object', { logs: {} }, 'logs'],
    ['1,001 logs', { logs: Array.from({ length: 1_001 }, () => login('2025-01-01')) }, 'logs'],
    ...[
      '0000-01-01',
      '0000-02-29',
      '2023-02-29',
      '1900-02-29',
      '2024-02-30',
      '2024-13-01',
      '2024-00-10',
      '2024-1-1',
      '10000-01-01',
      '2024-01-01T00:00:00Z',
      ' 2024-01-01',
      '2024-01-01\n',
      '01/02/2024',
      20_240_101,
      null,
    ].map((date): [string, object, string] => [
      `date ${JSON.stringify(date)}`,
      { logs: [login('2024-01-01'), { date, action: 'login' }] },
      'logs.1.date',
    ]),
    ...['Login', 'signin', '', null, 1].map((action): [string, object, string] => [
      `action ${JSON.stringify(action)}`,
      { logs: [{ date: '2024-01-01', action }] },
      'logs.0.action',
    ]),
    ...[
      '',
      '1',
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1',
      'a0eebc999c0b4ef8bb6d6bb9bd380a11',
      '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
      'g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      ' a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\n',
      7,
      null,
    ].map((id): [string, object, string] => [`id ${JSON.stringify(id)}`, { id }, 'id']),
    ['team.id a text', { team: team({ id: '4' }) }, 'team.id'],
    ['project id null', { team: team({ projects: [{ id: null, name: 'a', completed: true }] }) }, 'team.projects.0.id'],
    ['log id a text', { logs: [{ id: 'x', date: '2024-01-01', action: 'login' }] }, 'logs.0.id'],
    ['an unknown field', { email: 'a@b.c' }, 'email'],
    ['an unknown field of the team', { team: team({ size: 1 }) }, 'team.size'],
    [
      'an unknown field of a project',
      { team: team({ projects: [{ name: 'a', completed: true, a: 1 }] }) },
      'team.projects.0.a',
    ],
    ['an unknown field of a log', { logs: [{ date: '2024-01-01', action: 'login', ip: '' }] }, 'logs.0.ip'],
  ];

  test.each(bad)('%s: 400, which names the field', async (_, over, path) => {
    expectInvalid(await sendJson(JSON.stringify({ ...someContact(), ...over })), path);
  });

  test.each([
    ['score', '"score":87.5', '"score":1e999'],
    ['score', '"score":87.5', '"score":-1e999'],
    ['age', '"age":31', '"age":1e999'],
    ['team.id', '"id":4', '"id":1e999'],
  ])('%s beyond a double is 400', async (path, from, to) => {
    expectInvalid(await sendJson(JSON.stringify(someContact()).replace(from, to)), path);
  });

  test('leaves no job', async () => {
    const jobs = () => stage.sql('SELECT coalesce(sum(size), 0)::int AS jobs FROM contact_batches');
    const before = await jobs();
    await Promise.all(bad.map(([, over]) => sendJson(JSON.stringify({ ...someContact(), ...over }))));
    expect(await jobs()).toEqual(before);
  });
});
