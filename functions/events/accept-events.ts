import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Memberships } from '../accounts/companies/memberships.js';
import { Deadline } from '../platform/deadline.js';
import { Gather } from '../platform/gather.js';
import { REPLACEMENT } from '../platform/http/text.js';
import { isOutage, type Problem, ServiceUnavailable, ValidationProblem } from '../platform/problem.js';
import { Runtime } from '../platform/runtime.js';
import { isContended } from '../platform/stores/postgres.js';
import { eventId } from './event-id.js';
import {
  EnvelopeInvalid,
  EventConflict,
  PayloadInvalid,
  UnknownEventType,
  UnregisteredTenant,
} from './events.errors.js';
import { type AcceptedEvent, type EventResult, type EventResults, MAX_EVENTS } from './events.schemas.js';
import { type Delivery, MAX_BATCH_BYTES } from './intake/event-source.js';
import { type ExactJson, exactJsonOf } from './intake/exact-json.js';
import type { Outcome } from './intake/outcome.js';
import { StoreEvents } from './intake/store-events.js';
import type { Reason } from './intake/triage.js';
import { isObject } from './json.js';

const GROUP = { items: MAX_EVENTS, bytes: MAX_BATCH_BYTES, inFlight: 2 };
/** What this process holds of requests that have no answer yet; one event counts as this much at least. */
const HELD_BYTES = 64 * 1_024 * 1_024;
const EVENT_BYTES = 1_024;
const EMPTY = Buffer.alloc(0);

/** Who sends: a user by a token, or a client by a key of its own. */
export interface Sender {
  userId?: string | undefined;
  clientId?: string | undefined;
}

/** Takes events in over HTTP. What is refused is told, and never kept: the sender is there to be told. */
@Injectable()
export class AcceptEvents {
  readonly #groups = new Gather<Delivery, Outcome>(GROUP, (deliveries) => this.#store(deliveries), isOutage);
  #held = 0;

  constructor(
    private readonly store: StoreEvents,
    private readonly memberships: Memberships,
    private readonly runtime: Runtime,
  ) {}

  /**
   * Stores one envelope, or the list `{"events": [...]}` of them, each of which has a result of its own. Resolves after the
   * COMMIT. Throws the problem of a single envelope; ValidationProblem for a list of a wrong length; ServiceUnavailable: the
   * same request may be sent again, and what has an `id` of its producer is stored once.
   */
  async accept(sender: Sender, body: Buffer = EMPTY): Promise<AcceptedEvent | EventResults> {
    // A gateway puts U+FFFD in place of bytes that are not UTF-8: nobody could tell what was meant.
    if (this.runtime.kind === 'function' && body.includes(REPLACEMENT))
      throw new EnvelopeInvalid('body: not UTF-8, or with U+FFFD, which can be sent as \\ufffd');
    const maySend = await this.#allows(sender);
    const many = listIn(body);
    if (many) return { results: await this.#acceptMany(many, maySend) };
    const [outcome] = await this.#hold(body.length, async () => [
      await this.#groups.add(deliveryOf(body, maySend), body.length),
    ]);
    return acceptedOf(outcome);
  }

  async #acceptMany({ list, textOf }: EventList, maySend: Allows): Promise<EventResult[]> {
    const deliveries = list.map((event) => deliveryOf(bodyOf(event, textOf), maySend));
    const bytes = deliveries.reduce((sum, { body }) => sum + body.length, 0);
    const outcomes = await this.#hold(bytes, () => Deadline.without(() => this.#store(deliveries)));
    return outcomes.map(resultOf);
  }

  /** One query a request, however many clients it sends for. */
  async #allows({ userId, clientId }: Sender): Promise<Allows> {
    if (clientId !== undefined) return (client) => client === clientId;
    const companies = userId === undefined ? undefined : await this.memberships.companiesOf(userId);
    return (_, company) => companies?.has(company) ?? false;
  }

  /** From here on nothing holds the COMMIT back: a group is of many callers, and a list is divided where it must be. */
  async #hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const held = Math.max(bytes, EVENT_BYTES);
    if (this.#held + held > HELD_BYTES) throw new ServiceUnavailable('too many events wait to be stored');
    Deadline.current()?.storing();
    this.#held += held;
    try {
      return await work();
    } finally {
      this.#held -= held;
    }
  }

  async #store(deliveries: readonly Delivery[]): Promise<Outcome[]> {
    try {
      return await this.store.store(deliveries, false);
    } catch (error) {
      throw isContended(error) ? new ServiceUnavailable('the database is too busy', error) : error;
    }
  }
}

type Allows = NonNullable<Delivery['maySend']>;

/** Without an id of its producer an event has a key that no other has: it is stored as often as it is sent. */
function deliveryOf(body: Buffer, maySend: Allows): Delivery {
  return { body, key: `r:${randomUUID()}`, maySend };
}

interface EventList {
  list: readonly unknown[];
  textOf: ExactJson['textOf'];
}

/** The list of `{"events": [...]}`; undefined for everything else, which is judged as one envelope. */
function listIn(body: Buffer): EventList | undefined {
  const { value, exact, textOf } = exactJsonOf(body) ?? {};
  if (textOf === undefined || !isObject(value) || !isObject(exact) || !('events' in value)) return undefined;
  if ('event_type' in value || 'specversion' in value) return undefined;
  const list = exact.events;
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_EVENTS)
    throw new ValidationProblem([{ path: 'events', message: `must be a list of 1 to ${MAX_EVENTS} events` }]);
  return { list, textOf };
}

/** What is nested too deeply to be written is no envelope, and nor is an empty body. */
function bodyOf(event: unknown, textOf: ExactJson['textOf']): Buffer {
  try {
    return Buffer.from(textOf(event));
  } catch {
    return EMPTY;
  }
}

function acceptedOf(outcome: Outcome): AcceptedEvent {
  if (outcome.kind === 'refused') throw problemOf(outcome);
  return { id: eventId(outcome.eventId), outcome: outcome.kind };
}

function resultOf(outcome: Outcome, index: number): EventResult {
  if (outcome.kind === 'refused') return { index, outcome: 'rejected', reason: outcome.reason };
  return { index, outcome: outcome.kind, id: eventId(outcome.eventId) };
}

type Refusal = Extract<Outcome, { kind: 'refused' }>;
const NO_CLIENT = 'client_id (subject of a CloudEvent): absent, or not in the form of one';

const PROBLEMS: Record<Reason, (refusal: Refusal) => Problem> = {
  invalid_envelope: ({ detail }) => new EnvelopeInvalid(detail),
  missing_tenant: () => new EnvelopeInvalid(NO_CLIENT),
  unregistered_tenant: ({ clientId }) =>
    clientId === undefined ? new EnvelopeInvalid(NO_CLIENT) : new UnregisteredTenant(),
  unknown_event_type: ({ detail }) => new UnknownEventType(detail),
  invalid_payload: ({ detail }) => new PayloadInvalid(detail),
  conflicting_duplicate: ({ eventId: id = '' }) => new EventConflict(eventId(id)),
};

function problemOf(refusal: Refusal): Problem {
  return PROBLEMS[refusal.reason](refusal);
}
