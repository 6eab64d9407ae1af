import type { Answer, ApiStage } from '../../../testing/api-stage.js';
import type { Tenant } from '../events/tenants.js';

/** Where no request ever arrives: `invalid` is no name of the Internet's (RFC 6761). */
export const NOWHERE = 'https://hooks.invalid/disparo';

/** Registers an endpoint as the owner of this tenant's company. */
export function postEndpoint(stage: ApiStage, { owner, company }: Tenant, over: object = {}): Promise<Answer> {
  const body = { company_id: company.id, url: NOWHERE, ...over };
  return stage.api('POST', '/api/events/endpoints', { token: owner.token, body });
}

/** Registers an endpoint; returns its id. The sender passes it over, so that what is owed to it stays as a test has made it. */
export async function quietEndpoint(stage: ApiStage, tenant: Tenant, over: object = {}): Promise<string> {
  const { body } = await postEndpoint(stage, tenant, over);
  await stage.sql("UPDATE event_endpoints SET next_slot_at = 'infinity' WHERE id = $1", [body.id]);
  return String(body.id);
}

/** The ids of events that are or were owed to an endpoint, in their order. */
export async function owedTo(stage: ApiStage, id: string): Promise<string[]> {
  const rows = await stage.sql<{ id: string }>(
    "SELECT 'evt_' || event_id AS id FROM event_deliveries WHERE endpoint_id = $1 ORDER BY event_id",
    [id],
  );
  return rows.map((row) => row.id);
}
