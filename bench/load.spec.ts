import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../testing/api-stage.js';
import { ContractServer } from './load/contract-server.js';
import { compareRows } from './load/stored-rows.js';
import load from './load.js';

vi.setConfig({ testTimeout: 120_000 });

/** The API takes contacts. Without them there is nothing to load. */
const takesContacts = existsSync('functions/contacts/contacts.module.ts');

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

/** Runs the command on the stores of the stage. `printed` returns what it has printed so far. */
function started(...args: string[]) {
  return startedWith({}, ...args);
}

function startedWith(own: Record<string, string>, ...args: string[]) {
  const env = { ...process.env, ...stage.env, API_PORT: '', ...own };
  const child = spawn(process.execPath, ['infra/local/run.mjs', 'load', ...args], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, printed: () => output, ended };
}

async function ran(...args: string[]): Promise<[number | null, string]> {
  const { printed, ended } = started(...args);
  return [await ended, printed()];
}

test.skipIf(!takesContacts)('thousands of users are accepted, followed and stored as they were sent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'disparo-load-'));
  try {
    const svg = join(folder, 'latency.svg');
    const [code, output] = await ran('users', '3000', '--seed', '11', '--url', stage.url, '--svg', svg);
    expect([code, output.trimEnd().split('\n').at(-1)]).toEqual([
      0,
      '3,000 users: all accepted, all jobs completed, every row as it was sent',
    ]);
    expect(output).toMatch(/answers of POST +│ 202: 3,000 /);
    expect(output).toMatch(/│ contacts +│ 3,000 +│ 3,000 +│ 0 +│ 0 /);
    expect(readFileSync(svg, 'utf8')).toContain('</svg>');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.skipIf(!takesContacts)('a row that is missing, changed or too many is found in its table', async () => {
  const { DATABASE_URL } = stage.env;
  const [code] = await ran('users', '50', '--seed', '12', '--url', stage.url);
  expect([
    code,
    (await compareRows(DATABASE_URL, 12, 50)).every(({ missing, other }) => missing + other === 0),
  ]).toEqual([0, true]);
  const [one] = await stage.sql<{ job: string }>('SELECT max(job)::text AS job FROM contacts');
  const job = [one?.job];
  await stage.sql('UPDATE contacts SET score = score + 1e-9 WHERE job = $1', job);
  await stage.sql('DELETE FROM contact_teams WHERE job = $1', job);
  await stage.sql("INSERT INTO contact_logs VALUES ($1, 99, '2024-02-29', 'login')", job);
  const rows = await compareRows(DATABASE_URL, 12, 50);
  expect(rows.map(({ table, missing, other }) => [table, missing, other])).toEqual([
    ['contacts', 1, 1],
    ['contact_teams', 1, 0],
    ['contact_projects', 0, 0],
    ['contact_logs', 0, 1],
  ]);
});

test.skipIf(!takesContacts)('with --concurrent each user has a socket, all open at the same moment', async () => {
  const [code, output] = await ran('users', '300', '--concurrent', '300', '--url', stage.url);
  expect([code, output]).toEqual([0, expect.stringMatching(/sockets open at once +│ 300 /)]);
  expect(output).toMatch(/memory of the server a socket +│ -?[\d.]+ KB/);
});

test.skipIf(!takesContacts)(
  'a server that dies in the middle: what is left is told, and the command ends',
  async () => {
    const { printed, ended } = started('users', '50000', '--url', stage.url);
    await stage.until(() => /accepted [1-9]/.test(printed()), 'some are accepted', 60_000);
    await stage.kill();
    const code = await ended;
    await stage.start();
    expect([code, printed()]).toEqual([1, expect.stringMatching(/[\d,]+ x POST: not sent/)]);
    expect(printed()).toMatch(/[\d,]+ of 50,000 users accepted/);
  },
);

test('a server that answers 500 and closes a connection: exit 1, and each is told', async () => {
  const server = new ContractServer(({ method, nth, socket }) => {
    if (method !== 'POST') return undefined;
    if (nth === 1) return { status: 500, body: { code: 'INTERNAL' } };
    if (nth !== 2) return undefined;
    socket.destroy();
    return 'nothing';
  });
  const { port } = await server.listen();
  try {
    const [code, output] = await ran('users', '100', '--connections', '5', '--url', `127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(output).toContain('1 x POST: answered 500 INTERNAL\n');
    expect(output).toContain('1 x POST: no answer, closed by the server\n');
    expect(output).toContain('98 of 100 users accepted\n');
    expect(output).toContain('98 of 100 users seen to their end\n');
  } finally {
    server.close();
  }
});

test('nothing is running: one line, which says how to start an API', async () => {
  expect(await ran('users', '10', '--url', '127.0.0.1:9')).toEqual([
    1,
    'Nothing answers at http://127.0.0.1:9: start the API with npm run server in another terminal, or give its address: npm run load -- users 1000 --url http://host:port\n',
  ]);
});

test.each([
  [[]],
  [['contacts', '10']],
  [['users']],
  [['users', '10', '--connections', '2', '--concurrent', '10']],
  [['users', '10', '--nothing']],
])('%j is refused with the usage', async (args) => {
  await expect(load(args)).rejects.toThrow(/^usage: npm run load -- users n [^\n]*$/);
});

test.each([
  [['users', '0'], 'users must be a whole number from 1 to 10,000,000, and not "0"'],
  [['users', '1e3'], 'users must be a whole number from 1 to 10,000,000, and not "1e3"'],
  [['users', '10', '--connections', '0'], '--connections must be a whole number from 1 to 1,000,000, and not "0"'],
  [['users', '10', '--seed', 'x'], '--seed must be a whole number from 1 to 2,147,483,647, and not "x"'],
])('%j is refused by name', async (args, sentence) => {
  await expect(load(args)).rejects.toThrow(sentence);
});

test.skipIf(!takesContacts)('an API that asks for a login is told before anything is sent', async () => {
  const closed = await stage.beside({ CONTACTS_PUBLIC: 'false' });
  try {
    expect(await ran('users', '10', '--url', closed.url)).toEqual([
      78,
      `the contacts of ${closed.url} ask for a login, and a load has none: start the API without CONTACTS_PUBLIC=false\n`,
    ]);
  } finally {
    await closed.kill();
  }
});

test.skipIf(!takesContacts)('tables that cannot be read are told before anything is sent', async () => {
  const lost = new URL(stage.env.DATABASE_URL);
  lost.pathname = '/postgres';
  const { printed, ended } = startedWith({ DATABASE_URL: lost.href }, 'users', '10', '--url', stage.url);
  expect([await ended, printed()]).toEqual([
    78,
    `DATABASE_URL must be the database of ${stage.url}, and its tables cannot be read: relation "contacts" does not exist\n`,
  ]);
});

test('--concurrent that is not as many as users is refused with the reason', async () => {
  await expect(load(['users', '10', '--concurrent', '9'])).rejects.toThrow(
    '--concurrent sends one user on each socket: as many as users, 10',
  );
});
