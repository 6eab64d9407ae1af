import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findRoot } from '@disparo/contract';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openClone } from '../../../services/clone.js';
import { type Answer, ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { someCnpj } from '../../../testing/cnpj.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { PATIENCE_MS } from '../campaigns/fixtures.js';

// Each password costs a hash, and a process makes two at a time.
vi.setConfig({ testTimeout: 180_000 });

const REFUSED_AS_TAKEN = ['USER.EMAIL_TAKEN', 'COMPANY.DOCUMENT_TAKEN'];
/** The fields of an ErrorResponse: SQLSTATE, message and, where there is one, detail. */
const ERROR = /VERROR\0C([0-9A-Z]{5})\0M([^\0]*)\0(?:D([^\0]*))?/g;

let stage: ApiStage;
let proxy: TcpProxy;
/** All that PostgreSQL has sent to the API. What it logs of an error, with its detail, is in here too. */
const heard: Buffer[] = [];

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  proxy = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432, (bytes) => heard.push(bytes));
  await stage.start({ env: { DATABASE_URL: proxy.url } });
});

afterAll(async () => {
  await stage?.close();
  await proxy?.close();
});

/** The log of the server that the clone runs itself; empty where the tests have another. */
function serverLog(): string {
  const file = join(openClone(findRoot() ?? '.').data, 'postgres', 'server.log');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function errorsOfPostgres(): string[] {
  return [...Buffer.concat(heard).toString('latin1').matchAll(ERROR)].map(([, ...fields]) => fields.join(' '));
}

/** Expects that one request was done and the others were refused as taken. */
function expectOneDone(answers: Answer[]): void {
  const refused = answers.filter(({ status }) => status >= 300);
  expect(refused).toHaveLength(answers.length - 1);
  expect(refused.filter(({ status, body }) => status !== 409 || !REFUSED_AS_TAKEN.includes(String(body.code)))).toEqual(
    [],
  );
}

const register = (email: string) => stage.api('POST', '/api/users', { body: { email, password: 'segredo 1' } });
const moveTo = (user: TestUser, email: string) =>
  stage.api('PATCH', `/api/users/${user.id}`, {
    token: user.token,
    body: { email, current_password: user.password },
  });

/**
 * Sends the requests while nobody can write to a table. When each waits for that or for another request, lets them go on.
 */
async function atOnce(table: 'users' | 'companies', asks: (() => Promise<Answer>)[]): Promise<Answer[]> {
  const gate = new pg.Client(stage.env.DATABASE_URL);
  await gate.connect();
  await gate.query('BEGIN');
  // Rows may still be read and locked.
  await gate.query(`LOCK TABLE ${table} IN SHARE MODE`);
  const answers = Promise.all(asks.map((ask) => ask()));
  const waiting = async () =>
    (
      await stage.sql('SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = $1', [
        'Lock',
      ])
    ).length;
  await stage.until(async () => (await waiting()) === asks.length, 'all requests wait', PATIENCE_MS);
  await gate.query('COMMIT');
  await gate.end();
  return answers;
}

// Wanted by new users and by those who change theirs: PostgreSQL would write the value into its log.
test('an e-mail that many want at once is refused without an error of PostgreSQL', async () => {
  const users = await Promise.all(Array.from({ length: 3 }, () => stage.user()));
  const email = `probe.${Date.now().toString(36)}@example.com`;
  const written = [email, email.toUpperCase(), email];
  expectOneDone(
    await atOnce('users', [
      ...written.map((each) => () => register(each)),
      ...users.map((user) => () => moveTo(user, email)),
    ]),
  );
  expect((await register(email)).body.code).toBe('USER.EMAIL_TAKEN');
  expect((await moveTo(await stage.user(), email)).body.code).toBe('USER.EMAIL_TAKEN');
  expect(errorsOfPostgres()).toEqual([]);
  expect(serverLog().toLowerCase()).not.toContain(email);
});

test('a CNPJ that many want at once is refused without an error of PostgreSQL', async () => {
  const owner = await stage.user();
  const companies = await Promise.all(Array.from({ length: 3 }, () => stage.company(owner)));
  const document = someCnpj();
  const ask = (method: string, path: string, body: object) => stage.api(method, path, { token: owner.token, body });
  const found = () => ask('POST', '/api/companies', { name: 'Probe', document });
  const moves = companies.map(
    ({ id }) =>
      () =>
        ask('PATCH', `/api/companies/${id}`, { document }),
  );
  expectOneDone(await atOnce('companies', [found, found, found, ...moves]));
  expect((await found()).body.code).toBe('COMPANY.DOCUMENT_TAKEN');
  expect(errorsOfPostgres()).toEqual([]);
  expect(serverLog()).not.toContain(document);
});

test('an error of PostgreSQL would be heard', async () => {
  const probe = new RegExp(ERROR).exec('SERROR\0VERROR\0C23505\0Mduplicate key\0DKey (lower(email))=(a@b.co)\0');
  expect(probe?.slice(1)).toEqual(['23505', 'duplicate key', 'Key (lower(email))=(a@b.co)']);
});
