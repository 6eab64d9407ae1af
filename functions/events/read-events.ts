import { Injectable } from '@nestjs/common';
import { Memberships } from '../accounts/companies/memberships.js';
import type { SliceOf } from '../platform/http/slices.js';
import { Postgres } from '../platform/stores/postgres.js';
import { eventId } from './event-id.js';
import { UnregisteredTenant } from './events.errors.js';
import type { EventQuery, EventView } from './events.schemas.js';
import { IntakeRepository } from './intake/intake.repository.js';
import { RegistryRepository } from './registry/registry.repository.js';

/** Reads the events of a member's companies. */
@Injectable()
export class ReadEvents {
  constructor(
    private readonly memberships: Memberships,
    private readonly repository: IntakeRepository,
    private readonly registry: RegistryRepository,
    private readonly postgres: Postgres,
  ) {}

  /** By id. Throws CompanyNotFound and UnregisteredTenant: also for what is another's. */
  async list(userId: string, query: EventQuery): Promise<SliceOf<EventView>> {
    const companies = await this.#companiesFor(userId, query);
    const { rows, more } = await this.repository.events(companies, query);
    const data = rows.map(({ id, name, ...row }) => ({
      id: eventId(id),
      event_type: name,
      ...row,
      received_at: row.received_at.toISOString(),
    }));
    const last = rows.at(-1);
    return { data, next: more && last ? Number(last.id) : null };
  }

  async #companiesFor(userId: string, { company_id, client_id }: EventQuery): Promise<string[]> {
    if (company_id !== undefined) await this.memberships.requireMember(userId, company_id);
    const companies = company_id === undefined ? [...(await this.memberships.companiesOf(userId))] : [company_id];
    if (client_id === undefined) return companies;
    const owner = await this.registry.companyOf(this.postgres, client_id);
    if (owner === undefined || !companies.includes(owner)) throw new UnregisteredTenant();
    return [owner];
  }
}
