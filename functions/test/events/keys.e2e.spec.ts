import { Controller, Get, Req } from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { CompaniesRepository } from '../../accounts/companies/companies.repository.js';
import { CompanyDeletion } from '../../accounts/companies/company-deletion.js';
import { Memberships } from '../../accounts/companies/memberships.js';
import { InvitationsRepository } from '../../accounts/invitations/invitations.repository.js';
import { AccessTokens } from '../../accounts/users/access-token.js';
import { AuthGuard } from '../../accounts/users/auth.guard.js';
import { KeyBearers, TakesKey } from '../../accounts/users/key-bearers.js';
import { UsersRepository } from '../../accounts/users/users.repository.js';
import { EventClients, KEY_PREFIX } from '../../events/registry/event-clients.js';
import { RegistryRepository } from '../../events/registry/registry.repository.js';
import type { Config } from '../../platform/config.js';
import { ProblemFilter } from '../../platform/http/problem.filter.js';
import { Postgres } from '../../platform/stores/postgres.js';
import type { Log } from '../../platform/telemetry/log.js';

class Probe {
  open(request: FastifyRequest) {
    return { user: request.userId ?? null, client: request.clientId ?? null };
  }

  closed(request: FastifyRequest) {
    return this.open(request);
  }
}
// Written out, since the test runner does not compile the decorators of a spec.
Controller()(Probe);
for (const name of ['open', 'closed'] as const) {
  Get(name)(Probe.prototype, name, { value: Probe.prototype[name] });
  Req()(Probe.prototype, name, 0);
}
TakesKey(KEY_PREFIX)(Probe.prototype, 'open', { value: Probe.prototype.open });

class Probes {}

let stage: ApiStage;
let postgres: Postgres;
let app: NestFastifyApplication;
let ana: TestUser;
let acme: TestCompany;
let clients: EventClients;
let count = 0;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  acme = await stage.company(ana);
  const jwtSecret = new TextEncoder().encode(stage.env.JWT_SECRET ?? '');
  const config = { databaseUrl: stage.env.DATABASE_URL, jwtSecret } as Config;
  const log = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Log;
  postgres = new Postgres(config);
  const companies = new CompaniesRepository();
  const memberships = new Memberships(companies, postgres);
  const deletion = new CompanyDeletion(postgres, companies, new InvitationsRepository(), memberships, log);
  const keyBearers = new KeyBearers();
  clients = new EventClients(postgres, new RegistryRepository(), memberships, deletion, keyBearers);
  const tokens = new AccessTokens(config);
  const adapter = new FastifyAdapter();
  app = await NestFactory.create<NestFastifyApplication>({ module: Probes, controllers: [Probe] }, adapter, {
    logger: false,
  });
  app.useGlobalFilters(new ProblemFilter(log));
  app.useGlobalGuards(new AuthGuard(config, new Reflector(), tokens, new UsersRepository(), postgres, keyBearers));
  await app.listen(0, '127.0.0.1');
});

afterAll(async () => {
  await app?.close();
  await postgres?.close();
  await stage?.close();
});

async function ask(path: string, bearer?: string): Promise<[status: number, body: unknown]> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const answer = await fetch(`${await app.getUrl()}/${path}`, { headers });
  const body = (await answer.json()) as { code?: string };
  return [answer.status, body.code ?? body];
}

async function newClient(): Promise<{ client_id: string; api_key: string }> {
  count += 1;
  return clients.create(ana.id, { client_id: `client-${count}`, company_id: acme.id });
}

test('a key is taken where the route says so, for its client and for no user', async () => {
  const { client_id, api_key } = await newClient();
  expect(await ask('open', api_key)).toEqual([200, { user: null, client: client_id }]);
  expect(await ask('closed', api_key)).toEqual([401, 'AUTH.TOKEN_INVALID']);
});

test('a token is taken on both, and nothing on none', async () => {
  for (const path of ['open', 'closed']) {
    expect(await ask(path, ana.token)).toEqual([200, { user: ana.id, client: null }]);
    expect(await ask(path)).toEqual([401, 'AUTH.TOKEN_MISSING']);
    expect(await ask(path, 'evk_')).toEqual([401, 'AUTH.TOKEN_INVALID']);
    expect(await ask(path, `evk_${'a'.repeat(43)}`)).toEqual([401, 'AUTH.TOKEN_INVALID']);
  }
});

test('a key that is not whole, or in another letter case, is of nobody', async () => {
  const { api_key } = await newClient();
  for (const wrong of [api_key.slice(0, -1), `${api_key}a`, api_key.toUpperCase(), api_key.slice(KEY_PREFIX.length)])
    expect(await ask('open', wrong)).toEqual([401, 'AUTH.TOKEN_INVALID']);
});

test('an older key is taken until its time is over, the new one on', async () => {
  const { client_id, api_key } = await newClient();
  const next = await clients.createKey(ana.id, client_id);
  for (const key of [api_key, next.api_key])
    expect(await ask('open', key)).toEqual([200, { user: null, client: client_id }]);
  await stage.sql('UPDATE event_client_keys SET valid_until = now() WHERE client_id = $1 AND valid_until IS NOT NULL', [
    client_id,
  ]);
  expect(await ask('open', api_key)).toEqual([401, 'AUTH.TOKEN_INVALID']);
  expect((await ask('open', next.api_key))[0]).toBe(200);
});

test('a key ends with its client and with its company, and no former key comes back', async () => {
  const first = await newClient();
  await clients.delete(ana.id, first.client_id);
  expect(await ask('open', first.api_key)).toEqual([401, 'AUTH.TOKEN_INVALID']);
  const again = await clients.create(ana.id, { client_id: first.client_id, company_id: acme.id });
  expect(await ask('open', first.api_key)).toEqual([401, 'AUTH.TOKEN_INVALID']);
  expect((await ask('open', again.api_key))[0]).toBe(200);
  await stage.api('DELETE', `/api/companies/${acme.id}`, { token: ana.token });
  expect(await ask('open', again.api_key)).toEqual([401, 'AUTH.TOKEN_INVALID']);
});
