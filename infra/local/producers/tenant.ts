import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { EXIT } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';
import { someCnpj } from '../../../testing/cnpj.js';
import { type Answer, ask, type Problem, refusedBy } from './api.js';
import { CLIENTS } from './stream.js';
import { TYPES } from './types.js';

/** The demo user and the CNPJ of their company. */
interface Person {
  email: string;
  password: string;
  document: string;
}

/** A type of events as GET lists it. */
interface ListedType {
  name: string;
  version: number;
  schema: unknown;
}

const NOTE = join('.local', 'producers.json');

/** A demo company with its clients and types, registered over HTTP. A second run takes what is there. */
export class Tenant {
  private constructor(
    private readonly base: string,
    private readonly token: string,
    readonly companyId: string,
    /** How many of clients and types had to be registered. */
    readonly registered: { clients: number; types: number },
  ) {}

  /** Registers what is not there. `types`: their names. Throws CommandError. */
  static async register(base: string, types: readonly string[], root = process.cwd()): Promise<Tenant> {
    const person = personOf(root);
    const call = caller(base);
    const { email, password, document } = person;
    // 409: there since an earlier run.
    await call('POST', '/api/users', { body: { email, password }, also: [409] });
    const login = await call<{ access_token: string }>('POST', '/api/auth/login', { body: { email, password } });
    const token = login.body.access_token;
    const companyId = await company(call, token, document);
    const clients = await registerClients(call, token, companyId);
    return new Tenant(base, token, companyId, { clients, types: await registerTypes(call, token, companyId, types) });
  }

  /** A new key for each client; the ones of earlier runs live 24 hours more. Throws CommandError. */
  async newKeys(): Promise<Map<string, string>> {
    const call = caller(this.base);
    const keys = new Map<string, string>();
    for (const clientId of CLIENTS) {
      const path = `/api/events/clients/${clientId}/keys`;
      keys.set(clientId, (await call<{ api_key: string }>('POST', path, { token: this.token })).body.api_key);
    }
    return keys;
  }
}

type Call = ReturnType<typeof caller>;

/** Asks the API. Throws CommandError for a status over 299 that is not in `also`. */
function caller(base: string) {
  return async <T>(
    method: string,
    path: string,
    { token, body, also = [] }: { token?: string; body?: object; also?: number[] } = {},
  ): Promise<Answer<T>> => {
    const asked = { method, bearer: token, ...(body === undefined ? {} : { body }) };
    const answer = await ask<T>(base + path, asked).catch((error: Error) => {
      throw new CommandError(`The API does not answer: ${error.message}`, EXIT.bug);
    });
    if (answer.status < 300 || also.includes(answer.status)) return answer;
    throw refusedBy(`${method} ${path.split('?')[0]}`, answer as Answer<Problem>);
  };
}

/** The same in each run of this clone, so that a second run finds what the first has registered. */
function personOf(root: string): Person {
  const file = join(root, NOTE);
  const text = (part: number) => randomBytes(part).toString('hex');
  const person = { email: `producers.${text(6)}@example.com`, password: text(12), document: someCnpj() };
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, JSON.stringify(person), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Person;
}

async function company(call: Call, token: string, document: string): Promise<string> {
  const { body } = await call<{ data: { id: string; document: string }[] }>('GET', '/api/companies', { token });
  const own = body.data.find((each) => each.document === document);
  if (own) return own.id;
  const made = { name: 'Demo of events', document };
  return (await call<{ id: string }>('POST', '/api/companies', { token, body: made })).body.id;
}

/** The largest page: three clients and three types have few versions. */
function listOf(companyId: string): string {
  return `company_id=${companyId}&page_size=100`;
}

async function registerClients(call: Call, token: string, companyId: string): Promise<number> {
  const missing = await missingClients(call, token, companyId);
  for (const client_id of missing)
    await call('POST', '/api/events/clients', { token, body: { client_id, company_id: companyId }, also: [409] });
  // Another run of ours may have been faster. What is still missing belongs to somebody else.
  const [taken] = missing.length > 0 ? await missingClients(call, token, companyId) : [];
  if (taken === undefined) return missing.length;
  throw new CommandError(
    `${taken} belongs to another company of this database: the producers of another clone, or somebody else, have registered it. Give this API a database of its own`,
  );
}

async function missingClients(call: Call, token: string, companyId: string): Promise<string[]> {
  const path = `/api/events/clients?${listOf(companyId)}`;
  const { body } = await call<{ data: { client_id: string }[] }>('GET', path, { token });
  return CLIENTS.filter((clientId) => !body.data.some(({ client_id }) => client_id === clientId));
}

async function registerTypes(call: Call, token: string, companyId: string, names: readonly string[]): Promise<number> {
  const { body } = await call<{ data: ListedType[] }>('GET', `/api/events/types?${listOf(companyId)}`, { token });
  const missing = names.filter((name) => {
    const versions = body.data.filter((each) => each.name === name).sort((one, other) => other.version - one.version);
    return !isDeepStrictEqual(versions[0]?.schema, TYPES[name]?.schema);
  });
  for (const name of missing)
    await call('POST', '/api/events/types', {
      token,
      body: { company_id: companyId, name, schema: TYPES[name]?.schema },
    });
  return missing.length;
}
