import { Injectable } from '@nestjs/common';
import { Memberships } from '../../accounts/companies/memberships.js';
import type { Page } from '../../platform/http/slices.js';
import { ValidationProblem } from '../../platform/problem.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { SchemaInvalid, TooManyTypes, TypeNotFound, VersionExists } from '../events.errors.js';
import { NAME } from '../name.js';
import { RegistryRepository, type TypeRow } from './registry.repository.js';
import { type CompanyQuery, type CreatedType, type NewType } from './registry.schemas.js';
import { payloadCheck } from './schema/payload-schema.js';
import { SchemaRefused } from './schema/schema-walk.js';

/** Versions of all types of a company that live. */
const MAX_VERSIONS = 1_000;

/** Types of events, and their versions. */
@Injectable()
export class EventTypes {
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
      // guard: every process has all types in memory; counted under the lock of the company
      if ((await this.repository.versionCount(sql, company_id)) > MAX_VERSIONS) throw new TooManyTypes(MAX_VERSIONS);
      await this.repository.raiseVersion(sql);
      return { name, version: next };
    });
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

function requireNext(version: number, next: number): void {
  if (version < next) throw new VersionExists(next);
  if (version > next) throw new ValidationProblem([{ path: 'version', message: `must be ${next}, the next one` }]);
}
