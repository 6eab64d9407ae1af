import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Memberships } from '../../accounts/companies/memberships.js';
import type { Page } from '../../platform/http/slices.js';
import { ValidationProblem } from '../../platform/problem.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { SchemaInvalid, TooManyTypes, TypeNotFound, VersionExists } from '../events.errors.js';
import { NAME } from '../name.js';
import { RegistryRepository, type TypeRow } from './registry.repository.js';
import type { CompanyQuery, CreatedType, NewType } from './registry.schemas.js';
import { memoryOf, payloadCheck } from './schema/payload-schema.js';
import { SchemaRefused } from './schema/schema-walk.js';
import { MAX_COMPANY_BYTES } from './schema-cache.js';

/** Versions of all types of a company that live. */
const MAX_VERSIONS = 1_000;
/** Types whose memory is known, so that their schemas are not read again for the next type of their company. */
const COUNTED = 10_000;
const MIB = 1_024 * 1_024;

/** Types of events, and their versions. */
@Injectable()
export class EventTypes {
  /** Of the check of each schema that was counted, by the type's id, in bytes. */
  readonly #memory = new LRUCache<number, number>({ max: COUNTED });

  constructor(
    private readonly postgres: Postgres,
    private readonly repository: RegistryRepository,
    private readonly memberships: Memberships,
  ) {}

  /** The next version of a type. Throws CompanyNotFound, SchemaInvalid, VersionExists, TooManyTypes, ValidationProblem. */
  async create(userId: string, { company_id, name, version, schema = null }: NewType): Promise<CreatedType> {
    // Before the schema, whose check takes its time: a stranger is to cost little.
    await this.memberships.requireMember(userId, company_id);
    if (schema !== null) requireTaken(schema);
    return this.postgres.transaction(async (sql) => {
      // guard: under the lock of the company two callers get two versions
      await this.memberships.lockAsMember(sql, userId, company_id);
      const next = (await this.repository.lastVersion(sql, company_id, name)) + 1;
      if (version !== undefined) requireNext(version, next);
      await this.repository.insertType(sql, { company_id, name, version: next, schema });
      await this.#requireMemory(sql, company_id);
      await this.repository.raiseVersion(sql);
      return { name, version: next };
    });
  }

  /** guard: every process has the types of all companies in memory. Counted under the lock of the company. */
  async #requireMemory(sql: Transaction, companyId: string): Promise<void> {
    const versions = await this.repository.versions(sql, companyId);
    if (versions.length > MAX_VERSIONS) throw new TooManyTypes(`have at most ${MAX_VERSIONS} versions`);
    const ids = versions.flatMap(({ id, hasSchema }) => (hasSchema ? [id] : []));
    const unknown = ids.filter((id) => !this.#memory.has(id));
    for (const { id, schema } of await this.repository.schemas(sql, unknown))
      this.#memory.set(id, memoryOfText(schema));
    const bytes = ids.reduce((sum, id) => sum + (this.#memory.get(id) ?? 0), 0);
    if (bytes > MAX_COMPANY_BYTES) throw new TooManyTypes(`take at most ${MAX_COMPANY_BYTES / MIB} MiB of memory`);
  }

  /** Throws CompanyNotFound. */
  async list(userId: string, { company_id, ...page }: CompanyQuery): Promise<Page<TypeRow>> {
    await this.memberships.requireMember(userId, company_id);
    return this.repository.types(this.postgres, company_id, page);
  }

  /** All versions. Throws CompanyNotFound, TypeNotFound. */
  delete(userId: string, companyId: string, name: string): Promise<void> {
    return this.postgres.transaction(async (sql) => {
      await this.memberships.lockAsMember(sql, userId, companyId);
      const isDeleted = NAME.test(name) && (await this.repository.deleteType(sql, companyId, name));
      if (!isDeleted) throw new TypeNotFound();
      await this.repository.raiseVersion(sql);
    });
  }
}

function requireTaken(schema: Record<string, unknown>): void {
  try {
    payloadCheck(schema);
  } catch (error) {
    throw error instanceof SchemaRefused ? new SchemaInvalid(error.path, error.reason) : error;
  }
}

/** What was taken once may not be any more, since the rules are others now: then it is not compiled either. */
function memoryOfText(schema: string): number {
  try {
    return memoryOf(JSON.parse(schema));
  } catch {
    return 0;
  }
}

function requireNext(version: number, next: number): void {
  if (version < next) throw new VersionExists(next);
  if (version > next) throw new ValidationProblem([{ path: 'version', message: `must be ${next}, the next one` }]);
}
