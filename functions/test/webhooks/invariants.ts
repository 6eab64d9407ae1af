import type pg from 'pg';
import type { Claim, Verdict } from '../../webhooks/deliver/delivery.js';

/** What the simulation knows of a delivery, next to its row. */
interface Known {
  /** How often it was claimed. */
  claims: number;
  /** The claim whose lease has not ended. */
  lease: Claim | undefined;
  /** The last claim of which a failure was settled. */
  failed: number;
  /** Whether a receiver has answered 2xx. */
  taken: boolean;
  /** How often a settling has ended it, and how often it was replayed. */
  ends: number;
  replays: number;
}

/** What was seen of all deliveries. */
export class Book {
  readonly #known = new Map<string, Known>();
  /** Deliveries of living endpoints that are due, at the last look. */
  owed = 0;

  of(endpointId: string, eventId: string): Known {
    const key = `${endpointId} ${eventId}`;
    const known = this.#known.get(key) ?? { claims: 0, lease: undefined, failed: 0, taken: false, ends: 0, replays: 0 };
    this.#known.set(key, known);
    return known;
  }

  #ofClaim({ endpointId, eventId }: Claim): Known {
    return this.of(endpointId, eventId);
  }

  claimed(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const known = this.#ofClaim(claim);
      if (known.lease) throw new Error(`two leases: ${JSON.stringify([known.lease, claim])}`);
      known.claims += 1;
      known.lease = claim;
    }
  }

  /** All leases of an endpoint are over. */
  leasesEnd(endpointId: string): void {
    for (const [key, known] of this.#known) if (key.startsWith(`${endpointId} `)) known.lease = undefined;
  }

  leaseEnds(claim: Claim): void {
    const known = this.#ofClaim(claim);
    if (known.lease?.attempt === claim.attempt) known.lease = undefined;
  }

  taken(claim: Claim): void {
    this.#ofClaim(claim).taken = true;
  }

  settled(claim: Claim, { ok, dead }: Verdict, settled: boolean): void {
    const known = this.#ofClaim(claim);
    if (settled && !ok && claim.attempt !== known.claims)
      throw new Error(`a late failure counts: ${JSON.stringify(claim)}`);
    if (settled && !ok && known.failed === claim.attempt)
      throw new Error(`a failure counts twice: ${JSON.stringify(claim)}`);
    if (settled && !ok) known.failed = claim.attempt;
    if (settled && (ok || dead)) known.ends += 1;
    // A success counts late, too, and ends whatever claim there is now.
    if (settled && ok) known.lease = undefined;
  }

  replayed(endpointId: string, eventId: string): void {
    this.of(endpointId, eventId).replays += 1;
  }

  /** The claims whose leases have not ended. */
  leases(endpointId: string): Claim[] {
    return [...this.#known.values()].flatMap(({ lease }) => (lease?.endpointId === endpointId ? [lease] : []));
  }
}

interface DeliveryNow {
  endpoint: string;
  event: string;
  attempts: number;
  round_from: number;
  due: boolean;
  delivered: boolean;
  dead: boolean;
  /** Attempts of the log, and those of them with a 2xx. */
  logged: number;
  succeeded: number;
  /** The last of the log. */
  last: number | null;
}

interface EndpointNow {
  id: string;
  deleted: boolean;
  failures: number;
  open: boolean;
  probing: string | null;
}

/** What is committed. */
interface Tables {
  deliveries: DeliveryNow[];
  endpoints: EndpointNow[];
}

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'webhooks',
    text: `SELECT
      (SELECT coalesce(json_agg(json_build_object('endpoint', endpoint_id, 'event', event_id::text, 'attempts', attempts,
          'round_from', round_from, 'due', due_at IS NOT NULL, 'delivered', delivered_at IS NOT NULL, 'dead', dead_at IS NOT NULL,
          'logged', logged, 'succeeded', succeeded, 'last', last)), '[]')
         FROM event_deliveries d CROSS JOIN LATERAL (
           SELECT count(*) AS logged, count(*) FILTER (WHERE status = 200) AS succeeded, max(attempt) AS last FROM event_attempts a
            WHERE a.event_id = d.event_id AND a.endpoint_id = d.endpoint_id) AS log) AS deliveries,
      (SELECT coalesce(json_agg(json_build_object('id', id, 'deleted', deleted, 'failures', failures, 'open', open_until IS NOT NULL,
          'probing', probing_since::text)), '[]') FROM event_endpoints) AS endpoints`,
  });
  const [tables] = rows;
  if (!tables) throw new Error('no row');
  return tables;
}

/** Throws what does not hold. Remembers what it saw for the next time. */
export function assertTables({ deliveries, endpoints }: Tables, book: Book): void {
  for (const row of deliveries) {
    const wrong = wrongIn(row, book.of(row.endpoint, row.event));
    if (wrong) throw new Error(`${wrong}: ${JSON.stringify(row)}`);
  }
  for (const endpoint of endpoints) {
    const wrong = wrongAt(endpoint, book);
    if (wrong) throw new Error(`${wrong}: ${JSON.stringify(endpoint)}`);
  }
  const living = new Set(endpoints.filter(({ deleted }) => !deleted).map(({ id }) => id));
  book.owed = deliveries.filter(({ due, endpoint }) => due && living.has(endpoint)).length;
}

function wrongIn(row: DeliveryNow, known: Known): string | undefined {
  if (row.attempts !== known.claims) return `claimed ${known.claims} times`;
  if (row.round_from > row.attempts) return 'a round that begins after its attempts';
  if ((row.last ?? 0) > row.attempts || row.logged > row.attempts) return 'more in the log than was claimed';
  if (row.delivered && (row.succeeded === 0 || !known.taken)) return 'delivered, and nobody has taken it';
  if (row.dead && row.attempts - row.round_from < 8) return 'dead before the eighth attempt of its round';
  if (known.ends > 1 + known.replays) return 'ended twice in a round';
  if (!row.due && known.ends === 0) return 'ended by nobody';
  return undefined;
}

function wrongAt({ id, failures, open, probing }: EndpointNow, book: Book): string | undefined {
  if (failures >= 5 && !open) return 'open, and no time is set';
  const probes = book.leases(id).filter(({ claimed }) => claimed === probing);
  if (failures >= 5 && probes.length > 1) return `${probes.length} probes at once`;
  return undefined;
}
