import type pg from 'pg';
import { isContended, type Postgres } from '../../platform/stores/postgres.js';
import { DeliveriesRepository } from '../../webhooks/deliver/deliveries.repository.js';
import type { Answer, Claim } from '../../webhooks/deliver/delivery.js';
import { verdictOf } from '../../webhooks/deliver/retry.js';
import { Actors } from '../simulation/actors.js';
import { Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import { assertTables, Book, readTables } from './invariants.js';

/** Connections of one simulation at a time. */
export interface Connections {
  senders: pg.Client[];
  client: pg.Client;
  member: pg.Client;
  clock: pg.Client;
  monitor: pg.Client;
}

const QUIET_STEPS = 10_000;
const CRASH = 0.03;
/** A small world, in which many claims of one delivery meet, and a larger one. */
const WORLDS = [
  { endpoints: ['e1'], events: 2, chaosSteps: 400 },
  { endpoints: ['e1', 'e2', 'e3'], events: 5, chaosSteps: 220 },
];
/** More than the longest wait of the table. */
const LONG = '13 hours';
/** As time passes for one endpoint: a lease, the breaker, the longest wait. */
const TIMES = ['31 s', '31 s', '11 minutes', LONG];
const ANSWERS = [200, 200, 500, 500, 500, 503, 410];

/**
 * One run: the real functions and the real repository on real connections, in an order that a seed decides. Senders claim,
 * load, send, settle and give back, and crash anywhere; leases end while they send, so that answers come late. Events are
 * stored meanwhile, endpoints disabled, enabled and deleted, what is at its end is replayed, and time passes.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly #actors: Actors<'sender' | 'client' | 'member' | 'clock'>;
  readonly #book = new Book();
  readonly #world: (typeof WORLDS)[number];
  #chaos = true;
  #looked = -1;

  constructor(
    readonly seed: number,
    private readonly connections: Connections,
  ) {
    this.scheduler = new Scheduler(seed, connections.monitor);
    this.#actors = new Actors(this.scheduler);
    this.#world = this.scheduler.pick(WORLDS);
  }

  /** Throws what went wrong, with the seed and the last steps. */
  async run(): Promise<void> {
    const { senders, client, member, clock, monitor } = this.connections;
    try {
      await monitor.query('TRUNCATE events, event_quarantine, event_deliveries, event_endpoints, event_attempts');
      await monitor.query(
        `INSERT INTO event_endpoints (id, company_id, url, secret, rate_per_s, enabled_at)
         SELECT unnest($1::text[]), 'acme', 'http://127.0.0.1:9/', 'whsec_AAAA', 1000, clock_timestamp() - interval '1 year'`,
        [this.#world.endpoints],
      );
      for (const each of senders) this.#actors.start('sender', each, (session) => this.#send(session));
      this.#actors.start('client', client, (session) => this.#store(session));
      this.#actors.start('member', member, (session) => this.#change(session));
      this.#actors.start('clock', clock, (session) => this.#pass(session));
      await this.scheduler.settle();
      for (let step = 0; step < this.#world.chaosSteps; step++) {
        if (this.scheduler.chance() < CRASH) await this.scheduler.crash(this.#actors.pick('sender'));
        await this.scheduler.step();
        await this.#look();
      }
      this.#chaos = false;
      for (let steps = 0; await this.scheduler.step(); steps++) {
        if (steps > QUIET_STEPS) throw new Error(`still owed after ${QUIET_STEPS} steps: ${this.#book.owed}`);
        await this.#look();
      }
      if (this.#book.owed > 0) throw new Error(`forgotten: ${this.#book.owed}`);
    } catch (error) {
      const steps = this.scheduler.trace.slice(-60).join('\n  ');
      throw new Error(`WEBHOOKS_SEED=${this.seed}: ${String(error)}\n  ${steps}`, { cause: error });
    } finally {
      await this.#actors.stop();
    }
  }

  /** Claims, and ends its claims in any order; what it forgets when it crashes, another one claims after the lease. */
  async #send(session: Session): Promise<void> {
    const repository = repositoryOn(session);
    for (;;) {
      await this.scheduler.gate(session.actor, 'look', () => this.#chaos || this.#book.owed > 0);
      const claims = await repository.claim(
        2,
        3,
        this.scheduler.chance() < 0.2 ? [this.scheduler.pick(this.#world.endpoints)] : [],
      );
      this.#book.claimed(claims);
      while (claims.length > 0) {
        const [claim] = claims.splice(Math.floor(this.scheduler.chance() * claims.length), 1);
        if (claim) await this.#deliver(session, repository, claim);
      }
    }
  }

  async #deliver(session: Session, repository: DeliveriesRepository, claim: Claim): Promise<void> {
    const outgoing = this.#chaos && this.scheduler.chance() < 0.1 ? undefined : await repository.load(claim);
    if (!outgoing) {
      // guard: once it is given back, another one may have it before we hear of that
      this.#book.leaseEnds(claim);
      await repository.release(claim);
      return;
    }
    if (outgoing.row < 1) throw new Error(`attempt ${outgoing.row} of its round: ${JSON.stringify(claim)}`);
    await this.scheduler.gate(session.actor, `send ${claim.endpointId} ${claim.eventId}`);
    const status = this.#chaos ? this.scheduler.pick(ANSWERS) : 200;
    if (status === 200) this.#book.taken(claim);
    const answer: Answer = { status, error: null, tookMs: 1, response: '', retryAfterMs: null };
    const verdict = verdictOf(answer, outgoing.row, () => this.scheduler.chance());
    await this.scheduler.gate(session.actor, `answered ${status}`);
    this.#book.leaseEnds(claim);
    // Its answer may be lost, and it is said again.
    const twice = this.scheduler.chance() < 0.2;
    if (twice) this.#book.settled(claim, verdict, await repository.settle(claim, answer, verdict));
    this.#book.settled(claim, verdict, await repository.settle(claim, answer, verdict));
    if (!verdict.ok) await repository.disable(claim, outgoing.url, verdict.gone ? 'gone' : 'failing');
  }

  async #store(session: Session): Promise<void> {
    for (let stored = 0; stored < this.#world.events; stored++) {
      await this.scheduler.gate(session.actor, 'store', () => this.#chaos);
      await session.query(
        `SELECT * FROM store_events((SELECT version FROM event_registry), false, '{1}', '{a}',
           ARRAY(SELECT id FROM event_types WHERE name = 'u' AND version = 1), ARRAY['p:' || $1], '{x}', '{x}', '{null}', '{null}', '{null}', '{acme}')`,
        [stored],
      );
    }
    await this.scheduler.gate(session.actor, 'over', () => false);
  }

  /** What members do; in the end all endpoints that live are enabled. */
  async #change(session: Session): Promise<void> {
    while (this.#chaos) {
      await this.scheduler.gate(session.actor, 'change');
      if (!this.#chaos) break;
      const chance = this.scheduler.chance();
      const id = this.scheduler.pick(this.#world.endpoints);
      if (chance < 0.2)
        await session.query(
          `UPDATE event_endpoints SET disabled_at = clock_timestamp(), disabled_reason = 'member' WHERE id = $1`,
          [id],
        );
      else if (chance < 0.5) await this.#enable(session, [id]);
      else if (chance < 0.53) await session.query('UPDATE event_endpoints SET deleted = true WHERE id = $1', [id]);
      else await this.#replay(session, id);
    }
    await this.#enable(session, this.#world.endpoints);
    await this.scheduler.gate(session.actor, 'over', () => false);
  }

  async #enable(session: Session, ids: readonly string[]): Promise<void> {
    await session.query(
      `UPDATE event_endpoints SET disabled_at = NULL, disabled_reason = NULL, failures = 0, open_until = NULL, probing_since = NULL,
         enabled_at = clock_timestamp() WHERE id = ANY ($1)`,
      [ids],
    );
  }

  async #replay(session: Session, endpointId: string): Promise<void> {
    const again = await session.query<{ event_id: string }>(
      `UPDATE event_deliveries SET due_at = clock_timestamp(), dead_at = NULL, delivered_at = NULL, round_from = attempts
        WHERE endpoint_id = $1 AND due_at IS NULL RETURNING event_id`,
      [endpointId],
    );
    for (const { event_id } of again) this.#book.replayed(endpointId, event_id);
  }

  /** Time passes for one endpoint: leases end, waits are over. */
  async #pass(session: Session): Promise<void> {
    for (;;) {
      await this.scheduler.gate(session.actor, 'time passes', () => this.#chaos || this.#book.owed > 0);
      const id = this.scheduler.pick(this.#world.endpoints);
      // In the end any wait is over: a clock that others overtake has few turns.
      const time = this.#chaos ? this.scheduler.pick(TIMES) : LONG;
      await session.query(
        `UPDATE event_endpoints SET open_until = open_until - $2::interval, failing_since = failing_since - $2::interval WHERE id = $1`,
        [id, time],
      );
      // A statement of its own: who settles locks a delivery first. In a transaction: its end is a step of its own.
      await session.transaction((sql) =>
        sql.query('UPDATE event_deliveries SET due_at = due_at - $2::interval WHERE endpoint_id = $1', [id, time]),
      );
      this.#book.leasesEnd(id);
    }
  }

  /** After a step: nothing failed, and what is committed holds together. */
  async #look(): Promise<void> {
    this.#actors.throwFailure();
    if (this.#looked === this.scheduler.statements) return;
    this.#looked = this.scheduler.statements;
    assertTables(await readTables(this.connections.monitor), this.#book);
  }
}

function repositoryOn(session: Session): DeliveriesRepository {
  // As a sender does: another one's commit may be slow.
  const query = async <T>(text: string, values: unknown[]): Promise<T[]> => {
    for (;;) {
      try {
        return await session.query<T>(text, values);
      } catch (error) {
        if (!isContended(error)) throw error;
      }
    }
  };
  const unlessSilent = <T>(work: () => Promise<T>): Promise<T> => work();
  return new DeliveriesRepository({ query, unlessSilent } as unknown as Postgres);
}
