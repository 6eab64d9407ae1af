import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CompanyDeletion } from '../../accounts/companies/company-deletion.js';
import { Memberships } from '../../accounts/companies/memberships.js';
import { KeyBearers } from '../../accounts/users/key-bearers.js';
import type { Page } from '../../platform/http/slices.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { ClientNotFound, ClientTaken, TooManyClients } from '../events.errors.js';
import { NAME } from '../name.js';
import { type ClientRow, RegistryRepository } from './registry.repository.js';
import { type ClientKey, type CompanyQuery, type NewClient } from './registry.schemas.js';

/** What keys of clients begin with: a scanner of source code finds them by it. */
export const KEY_PREFIX = 'evk_';
const KEY_BYTES = 32;
/** Living ones of a company. */
const MAX_CLIENTS = 10_000;

/** Clients of events and their keys. */
@Injectable()
export class EventClients {
  constructor(
    private readonly postgres: Postgres,
    private readonly repository: RegistryRepository,
    private readonly memberships: Memberships,
    deletion: CompanyDeletion,
    keyBearers: KeyBearers,
  ) {
    keyBearers.add(KEY_PREFIX, (key) => repository.clientOfKey(postgres, hashOf(key)));
    // The company is locked by now. The version is last, here as everywhere.
    deletion.onDelete(async (sql, companyId) => {
      await repository.deleteOfCompany(sql, companyId);
      await repository.raiseVersion(sql);
    });
  }

  /** Throws CompanyNotFound, ClientTaken, TooManyClients. */
  create(userId: string, { client_id, company_id }: NewClient): Promise<ClientRow & ClientKey> {
    return this.postgres.transaction(async (sql) => {
      await this.memberships.lockAsMember(sql, userId, company_id);
      const client = await this.repository.putClient(sql, company_id, client_id);
      if (!client) throw new ClientTaken();
      // guard: every process has all clients in memory; counted under the lock of the company
      if ((await this.repository.clientCount(sql, company_id)) > MAX_CLIENTS) throw new TooManyClients(MAX_CLIENTS);
      const key = await this.#newKey(sql, client_id);
      await this.repository.raiseVersion(sql);
      return { ...client, ...key };
    });
  }

  /** Throws CompanyNotFound. */
  async list(userId: string, { company_id, ...page }: CompanyQuery): Promise<Page<ClientRow>> {
    await this.memberships.requireMember(userId, company_id);
    return this.repository.clients(this.postgres, company_id, page);
  }

  /** Throws ClientNotFound. */
  delete(userId: string, clientId: string): Promise<void> {
    return this.#change(userId, clientId, async (sql, companyId) => {
      if (!(await this.repository.deleteClient(sql, companyId, clientId))) throw new ClientNotFound();
      await this.repository.deleteKeys(sql, clientId);
      await this.repository.raiseVersion(sql);
    });
  }

  /** For another module, under the lock of the company. Throws ClientNotFound unless it is a living client of that company. */
  async requireOf(sql: Transaction, companyId: string, clientId: string): Promise<void> {
    if ((await this.repository.companyOf(sql, clientId)) !== companyId) throw new ClientNotFound();
  }

  /** Another key; older ones end in 24 hours. Throws ClientNotFound. */
  createKey(userId: string, clientId: string): Promise<ClientKey> {
    return this.#change(userId, clientId, async (sql, companyId) => {
      // The client may have been deleted while we waited for the lock.
      if ((await this.repository.companyOf(sql, clientId)) !== companyId) throw new ClientNotFound();
      await this.repository.endKeysSoon(sql, clientId);
      return this.#newKey(sql, clientId);
    });
  }

  /** Runs `work` under the lock of the client's company. Throws ClientNotFound, also for who is no member of it. */
  async #change<T>(
    userId: string,
    clientId: string,
    work: (sql: Transaction, companyId: string) => Promise<T>,
  ): Promise<T> {
    const isName = NAME.test(clientId);
    const companyId = isName ? await this.repository.companyOf(this.postgres, clientId) : undefined;
    if (companyId === undefined) throw new ClientNotFound();
    return this.postgres.transaction(async (sql) => {
      await this.memberships.lockAsMember(sql, userId, companyId, new ClientNotFound());
      return work(sql, companyId);
    });
  }

  async #newKey(sql: Transaction, clientId: string): Promise<ClientKey> {
    const key = KEY_PREFIX + randomBytes(KEY_BYTES).toString('base64url');
    await this.repository.insertKey(sql, clientId, hashOf(key));
    return { client_id: clientId, api_key: key };
  }
}

/** A key has 256 random bits, so that nobody can guess it from its hash: a slow hash would add nothing. */
function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
