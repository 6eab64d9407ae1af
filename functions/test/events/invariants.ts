import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Outcome } from '../../events/intake/outcome.js';

/** What was seen so far. */
export interface Seen {
  /** The content of each event that ever was, by its id. */
  events: Map<string, string>;
  /** Events whose sender was told that it was stored now. */
  stored: Set<string>;
  /** Events that are so old that retention may delete them. */
  aged: Set<string>;
  /** What was told since the last look. `isKept`: by a queue, and so it may be acknowledged. */
  told: { body: Buffer; key: string; outcome: Outcome; isKept: boolean }[];
  /** The last look. */
  last: Tables;
}

/** What is committed. */
interface Tables {
  at: string;
  events: { id: string; client: string; content: string; type: number }[];
  quarantine: QuarantineRow[];
  registered: string[];
  types: number[];
}

interface QuarantineRow {
  id: string;
  source: string;
  company: string | null;
  client: string | null;
  reason: string;
  resolution: string | null;
  resolved_at: string | null;
  event: string | null;
}

export const NOTHING: Tables = { at: '', events: [], quarantine: [], registered: [], types: [] };

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'tables',
    text: `SELECT clock_timestamp()::text AS at,
      (SELECT coalesce(json_agg(json_build_object('id', e.id::text, 'client', client_id, 'type', type_id,
          'content', concat_ws(' ', client_id, dedupe_key, name, message))), '[]')
         FROM events e JOIN event_types t ON t.id = type_id) AS events,
      (SELECT coalesce(json_agg(json_build_object('id', id::text, 'source', source_key, 'company', company_id, 'client', client_id,
          'reason', reason, 'resolution', resolution, 'resolved_at', resolved_at::text, 'event', event_id::text)), '[]')
         FROM event_quarantine) AS quarantine,
      (SELECT coalesce(json_agg(client_id), '[]') FROM event_clients WHERE NOT deleted) AS registered,
      (SELECT coalesce(json_agg(id), '[]') FROM event_types WHERE NOT deleted) AS types`,
  });
  const [tables] = rows;
  if (!tables) throw new Error('no row');
  return tables;
}

/** Throws what does not hold. Remembers what it saw for the next time. */
export function assertTables(now: Tables, seen: Seen): void {
  assertEvents(now, seen);
  assertQuarantine(now, seen.last);
  for (const told of seen.told.splice(0)) assertTold(told, now, seen);
  seen.last = now;
}

/**
 * A change of the registry and a batch never commit in one step: what both looks say of a client or a type was so when it
 * committed.
 */
function assertEvents(now: Tables, seen: Seen): void {
  const isNot = <T>(of: (tables: Tables) => readonly T[], one: T) =>
    !of(now).includes(one) && !of(seen.last).includes(one);
  for (const { id, client, content, type } of now.events) {
    const before = seen.events.get(id);
    if (before !== undefined && before !== content) throw new Error(`event ${id} was ${before}, and is ${content}`);
    if (before === undefined && isNot(({ registered }) => registered, client))
      throw new Error(`event ${id} of ${client}, which is not registered`);
    if (before === undefined && isNot(({ types }) => types, type))
      throw new Error(`event ${id} of type ${type}, which is not registered`);
    seen.events.set(id, content);
  }
  const ids = new Set(now.events.map(({ id }) => id));
  const gone = seen.last.events.find(({ id }) => !ids.has(id) && !seen.aged.has(id));
  if (gone) throw new Error(`event ${gone.id} is gone`);
}

function assertQuarantine(now: Tables, last: Tables): void {
  const before = new Map(last.quarantine.map((row) => [row.id, row]));
  const is = (client: string) => now.registered.includes(client) && last.registered.includes(client);
  for (const row of now.quarantine) {
    const was = before.get(row.id);
    before.delete(row.id);
    if (!was && row.reason === 'unregistered_tenant' && row.client !== null && is(row.client))
      throw new Error(`${row.client} is registered, and its message ${row.id} is in quarantine`);
    if (was?.resolution === 'replayed' && row.resolution !== 'replayed')
      throw new Error(`message ${row.id} was replayed, and is not any more`);
    if (was?.company != null && row.company === null) throw new Error(`message ${row.id} has lost its company`);
  }
  const lost = [...before.values()].find(({ resolution }) => resolution === null);
  if (lost) throw new Error(`message ${lost.id} is gone`);
}

function assertTold({ body, key, outcome, isKept }: Seen['told'][number], now: Tables, seen: Seen): void {
  const says = (what: string) => new Error(`${what}: ${body} ${key} ${JSON.stringify(outcome)}`);
  const said = contentOf(body);
  const hash = createHash('sha256').update(body).digest('hex');
  const isConflict = outcome.kind === 'refused' && outcome.reason === 'conflicting_duplicate';
  const source = isConflict
    ? `c:${outcome.clientId ?? said.client}:${said.key}:${hash}`
    : `q:${said.key ?? key}:${hash}`;
  if (outcome.kind !== 'refused') {
    const isReplayed = now.quarantine.some(
      (row) => row.source.endsWith(hash) && row.resolution === 'replayed' && row.event === outcome.eventId,
    );
    if (seen.events.get(outcome.eventId) !== said.content && !(outcome.kind === 'duplicate' && isReplayed))
      throw says('told that it is an event, and it is none');
    return;
  }
  const isStored = ({ events }: Tables) => events.some(({ content }) => content === said.content);
  if (isStored(now) && isStored(seen.last)) throw says('stored before, and refused');
  if (!isKept) return;
  const row = now.quarantine.find((each) => each.source === source);
  if (!row) throw says('acknowledged and nowhere');
  // Somebody may have ended it in the same step.
  if (row.resolved_at !== null && !(row.resolved_at >= seen.last.at)) throw says('it came again, and nobody sees it');
  if (row.resolution !== null) return;
  if (row.reason !== outcome.reason) throw says(`in quarantine as ${row.reason}`);
  const hasNone = outcome.reason === 'invalid_envelope' || outcome.reason === 'unregistered_tenant';
  if (!hasNone && row.company === null) throw says('its company does not see it');
}

/** Of what is no envelope only the bytes count. */
function contentOf(body: Buffer): { content?: string; client?: string; key?: string } {
  try {
    const { client_id: client, id, event_type: type, message } = JSON.parse(body.toString()) as Record<string, string>;
    return { content: `${client} p:${id} ${type} ${message}`, client: String(client), key: `p:${id}` };
  } catch {
    return {};
  }
}
