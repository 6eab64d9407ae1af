import { createHash, randomBytes } from 'node:crypto';
import type { ApiStage, TestCompany, TestUser } from '../../../testing/api-stage.js';
import { ownName } from '../../../testing/databases.js';

/** A company with a client, a key of it, and two types: `user-app`, whose version 2 has a schema, and `note` without one. */
export interface Tenant {
  owner: TestUser;
  company: TestCompany;
  client: string;
  key: string;
}

/** The schema of `user-app`, version 2. */
const USER = { type: 'object', required: ['age'], properties: { age: { type: 'integer', minimum: 18 } } };

/** Makes a tenant of this owner, by SQL but for the company: what registers clients and types has specs of its own. */
export async function someTenant(stage: ApiStage, owner: TestUser): Promise<Tenant> {
  const company = await stage.company(owner);
  const client = ownName('client').replaceAll('_', '-');
  await stage.sql('INSERT INTO event_clients (client_id, company_id) VALUES ($1, $2)', [client, company.id]);
  await addType(stage, company, 'user-app', 1);
  await addType(stage, company, 'user-app', 2, USER);
  await addType(stage, company, 'note', 1);
  return { owner, company, client, key: await addKey(stage, client) };
}

/** Registers a type. */
export async function addType(
  stage: ApiStage,
  { id }: TestCompany,
  name: string,
  version: number,
  schema?: object,
): Promise<void> {
  await stage.sql('INSERT INTO event_types (company_id, name, version, schema) VALUES ($1, $2, $3, $4)', [
    id,
    name,
    version,
    schema ? JSON.stringify(schema) : null,
  ]);
  await changed(stage);
}

/** Gives a client one more key. */
export async function addKey(stage: ApiStage, client: string): Promise<string> {
  const key = `evk_${randomBytes(32).toString('base64url')}`;
  const hash = createHash('sha256').update(key).digest();
  await stage.sql('INSERT INTO event_client_keys (hash, client_id) VALUES ($1, $2)', [hash, client]);
  await changed(stage);
  return key;
}

/** Tells every process that the registry changed. */
export async function changed(stage: ApiStage): Promise<void> {
  await stage.sql('UPDATE event_registry SET version = version + 1');
}

/** An envelope of this tenant that is an event. */
export function envelope({ client }: Tenant, over: object = {}): Record<string, unknown> {
  return { event_type: 'user-app', client_id: client, message: { age: 31 }, ...over };
}

/** The events of a client, in their order. */
export async function storedEvents(
  stage: ApiStage,
  { client }: Tenant,
): Promise<{ id: string; dedupe_key: string; message: string }[]> {
  return stage.sql('SELECT id, dedupe_key, message FROM events WHERE client_id = $1 ORDER BY id', [client]);
}

/** A message as it stands in quarantine. */
interface Kept {
  body?: string | Buffer | object;
  key?: string;
  reason?: string;
  detail?: string;
}

/** Puts a message into quarantine by the statement of the queue, for a tenant or for none. Returns its id. */
export async function quarantined(
  stage: ApiStage,
  tenant: Tenant | undefined,
  {
    body = {},
    key = `b:${randomBytes(8).toString('hex')}`,
    reason = 'unknown_event_type',
    detail = 'order',
  }: Kept = {},
): Promise<string> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  await stage.sql(
    `SELECT store_events(version, true, '{0}', ARRAY[$1], '{null}', ARRAY[$2], '{null}', ARRAY[$3::bytea], '{null}', ARRAY[$4], ARRAY[$5], ARRAY[$6])
       FROM event_registry`,
    [tenant?.client ?? null, key, bytes, reason, detail, tenant?.company.id ?? null],
  );
  const [row] = await stage.sql<{ id: string }>(
    'SELECT id FROM event_quarantine WHERE dedupe_key = $1 AND company_id IS NOT DISTINCT FROM $2',
    [key, tenant?.company.id ?? null],
  );
  return row?.id ?? '';
}
