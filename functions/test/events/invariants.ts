import type pg from 'pg';
import type { Outcome } from '../../events/intake/outcome.js';

/** What was seen so far. `events`: the content of each, by its id. `registered`: the clients at the last look. */
export interface Seen {
  events: Map<string, string>;
  quarantine: Set<string>;
  /** Events whose sender was told that it was stored now. */
  stored: Set<string>;
  /** Messages that were acknowledged since the last look. */
  settled: { body: Buffer; outcome: Outcome }[];
  registered: Set<string>;
}

/** What is committed. */
interface Tables {
  events: { id: string; client: string; content: string }[];
  quarantine: { id: string; client: string | null; reason: string; body: string }[];
  registered: string[];
}

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'tables',
    text: `SELECT
      (SELECT coalesce(json_agg(json_build_object('id', id::text, 'client', client_id, 'content', dedupe_key || ' ' || message)), '[]') FROM events) AS events,
      (SELECT coalesce(json_agg(json_build_object('id', id::text, 'client', client_id, 'reason', reason, 'body', encode(body, 'hex'))), '[]') FROM event_quarantine) AS quarantine,
      (SELECT coalesce(json_agg(client_id), '[]') FROM event_clients WHERE NOT deleted) AS registered`,
  });
  const [tables] = rows;
  if (!tables) throw new Error('no row');
  return tables;
}

/** Throws what does not hold. Remembers what it saw for the next time. */
export function assertTables({ events, quarantine, registered }: Tables, seen: Seen): void {
  const now = new Set(registered);
  // A change of the registry and a batch never commit in one step: what both looks say of a client was so when it committed.
  const is = (client: string) => now.has(client) && seen.registered.has(client);
  const isNot = (client: string) => !now.has(client) && !seen.registered.has(client);
  for (const { id, client, content } of events) {
    const before = seen.events.get(id);
    if (before !== undefined && before !== content) throw new Error(`event ${id} was ${before}, and is ${content}`);
    if (before === undefined && isNot(client)) throw new Error(`event ${id} of ${client}, which is not registered`);
    seen.events.set(id, content);
  }
  const gone = [...seen.events.keys()].find((id) => !events.some((event) => event.id === id));
  if (gone) throw new Error(`event ${gone} is gone`);
  for (const { id, client, reason } of quarantine) {
    const isNew = !seen.quarantine.has(id);
    if (isNew && reason === 'unregistered_tenant' && client !== null && is(client))
      throw new Error(`${client} is registered, and its message ${id} is in quarantine`);
    seen.quarantine.add(id);
  }
  seen.registered = now;
  const bodies = new Set(quarantine.map(({ body }) => body));
  for (const { body, outcome } of seen.settled.splice(0)) {
    const isKept =
      outcome.kind === 'refused' ? bodies.has(body.toString('hex')) : isHeldBy(outcome.eventId, body, seen);
    if (!isKept) throw new Error(`acknowledged and nowhere: ${body} ${JSON.stringify(outcome)}`);
    if (outcome.kind === 'refused' && outcome.eventId !== undefined && isHeldBy(outcome.eventId, body, seen))
      throw new Error(`a conflict with its own content: ${body}`);
  }
}

function isHeldBy(eventId: string, body: Buffer, seen: Seen): boolean {
  const { id, message } = JSON.parse(body.toString()) as { id: string; message: string };
  return seen.events.get(eventId) === `p:${id} ${message}`;
}
