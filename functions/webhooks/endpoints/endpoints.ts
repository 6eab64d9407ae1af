import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import { Memberships } from '../../accounts/companies/memberships.js';
import { eventId } from '../../events/event-id.js';
import { EventClients } from '../../events/registry/event-clients.js';
import type { CompanyQuery } from '../../events/registry/registry.schemas.js';
import { RegistryVersion } from '../../events/registry/registry-version.js';
import { Config } from '../../platform/config.js';
import { type Page, type SliceOf, sliceOf } from '../../platform/http/slices.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { refusalOf } from '../deliver/request/addresses.js';
import { SECRET_PREFIX } from '../deliver/request/sign.js';
import { EndpointNotFound, TooManyEndpoints, UrlRefused } from '../webhooks.errors.js';
import { type AttemptRow, type DeadRow, type EndpointRow, EndpointsRepository } from './endpoints.repository.js';
import type {
  AttemptQuery,
  AttemptView,
  DeadDelivery,
  DeliveryQuery,
  EndpointChange,
  NewEndpoint,
} from './endpoints.schemas.js';

/** Living ones of a company. */
const MAX_ENDPOINTS = 100;
const SECRET_BYTES = 24;
/** Control, format and private characters, halves of surrogate pairs, and blanks. */
const NEVER_IN_A_URL = /[\p{C}\s]/u;

/** Where the events of a company go. A change is for events that are stored after it. */
@Injectable()
export class Endpoints {
  constructor(
    private readonly postgres: Postgres,
    private readonly repository: EndpointsRepository,
    private readonly memberships: Memberships,
    private readonly clients: EventClients,
    private readonly version: RegistryVersion,
    private readonly config: Config,
  ) {}

  /** With its first secret. Throws UrlRefused, CompanyNotFound, ClientNotFound, TooManyEndpoints. */
  async create(userId: string, body: NewEndpoint): Promise<EndpointRow & { secret: string }> {
    const { company_id: companyId, url, client_id: clientId = null, type_names, rate_per_s: ratePerS } = body;
    this.#check(url);
    const seed = { id: createId(), companyId, url, clientId, typeNames: distinct(type_names ?? null), ratePerS };
    const secret = newSecret();
    return this.postgres.transaction(async (sql) => {
      await this.memberships.lockAsMember(sql, userId, companyId);
      if (clientId !== null) await this.clients.requireOf(sql, companyId, clientId);
      const endpoint = await this.repository.insert(sql, { ...seed, secret });
      // guard: each event is compared with all of them; counted under the lock of the company
      if ((await this.repository.count(sql, companyId)) > MAX_ENDPOINTS) throw new TooManyEndpoints(MAX_ENDPOINTS);
      await this.version.raise(sql);
      return { ...endpoint, secret };
    });
  }

  /** Throws CompanyNotFound. */
  async list(userId: string, { company_id, ...page }: CompanyQuery): Promise<Page<EndpointRow>> {
    await this.memberships.requireMember(userId, company_id);
    return this.repository.page(this.postgres, company_id, page);
  }

  /** Throws EndpointNotFound, also for who is no member of its company. */
  async find(userId: string, id: string): Promise<EndpointRow> {
    const endpoint = await this.repository.find(this.postgres, await this.#companiesOf(userId), id);
    if (!endpoint) throw new EndpointNotFound();
    return endpoint;
  }

  /** With what is owed to it and its last attempt. Throws EndpointNotFound. */
  async detail(userId: string, id: string) {
    const endpoint = await this.find(userId, id);
    const owed = await this.repository.owed(this.postgres, id);
    const last = await this.repository.lastAttempt(this.postgres, id);
    return { ...endpoint, ...owed, last_attempt: last ? attemptOf(last) : null };
  }

  /** Throws UrlRefused, EndpointNotFound. */
  async change(
    userId: string,
    id: string,
    { rotate_secret, type_names, ...change }: EndpointChange,
  ): Promise<EndpointRow & { secret?: string }> {
    if (change.url !== undefined) this.#check(change.url);
    const names = type_names === undefined ? {} : { type_names: distinct(type_names) };
    const secret = rotate_secret ? newSecret() : undefined;
    return this.#locked(userId, id, async (sql, companyId) => {
      const changed = await this.repository.change(sql, companyId, id, { ...change, ...names }, secret);
      if (!changed) throw new EndpointNotFound();
      return secret === undefined ? changed : { ...changed, secret };
    });
  }

  /** Throws EndpointNotFound. */
  delete(userId: string, id: string): Promise<void> {
    return this.#locked(userId, id, async (sql, companyId) => {
      if (!(await this.repository.delete(sql, companyId, id))) throw new EndpointNotFound();
    });
  }

  /** The log of its attempts. Throws EndpointNotFound. */
  async attempts(userId: string, id: string, { after, limit }: AttemptQuery): Promise<SliceOf<AttemptView>> {
    await this.find(userId, id);
    const rows = await this.repository.attempts(this.postgres, id, after, limit);
    return sliceOf(rows.map(attemptOf), limit, (attempt) => attempt.id);
  }

  /** What was given up. Throws EndpointNotFound. */
  async dead(userId: string, id: string, { after, limit }: DeliveryQuery): Promise<SliceOf<DeadDelivery>> {
    await this.find(userId, id);
    const { data, next } = sliceOf(await this.repository.dead(this.postgres, id, after, limit), limit, (row) =>
      Number(row.event_id),
    );
    return { data: data.map(deadOf), next };
  }

  /** Runs `work` under the lock of the endpoint's company, and raises the version of the registry. */
  async #locked<T>(userId: string, id: string, work: (sql: Transaction, companyId: string) => Promise<T>): Promise<T> {
    const companyId = await this.repository.companyOf(this.postgres, id);
    if (companyId === undefined) throw new EndpointNotFound();
    return this.postgres.transaction(async (sql) => {
      await this.memberships.lockAsMember(sql, userId, companyId, new EndpointNotFound());
      const result = await work(sql, companyId);
      // guard: what is stored from here on is stored with the change; last, as everywhere
      await this.version.raise(sql);
      return result;
    });
  }

  async #companiesOf(userId: string): Promise<string[]> {
    return [...(await this.memberships.companiesOf(userId))];
  }

  #check(url: string): void {
    const why = NEVER_IN_A_URL.test(url)
      ? 'must not contain blanks or invisible characters'
      : refusalOf(url, this.config.webhooksAllowPrivate);
    if (why !== undefined) throw new UrlRefused(why);
  }
}

/** A line of the log as callers see it. */
function attemptOf({ id, event_id, at, ...row }: AttemptRow): AttemptView {
  return { id: Number(id), event_id: eventId(event_id), ...row, at: at.toISOString() };
}

function deadOf({ event_id, event_type, attempts, dead_at, received_at }: DeadRow): DeadDelivery {
  return {
    event_id: eventId(event_id),
    event_type,
    state: 'dead',
    attempts,
    dead_at: dead_at.toISOString(),
    received_at: received_at.toISOString(),
  };
}

function newSecret(): string {
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

function distinct(names: string[] | null): string[] | null {
  return names && [...new Set(names)];
}
