/** A delivery that this process may send once, before its lease ends. */
export interface Claim {
  endpointId: string;
  /** `events.id`, a bigint. */
  eventId: string;
  /** From 1: the number of the claim, and of the attempt in the log. */
  attempt: number;
  /** Milliseconds from the claim until its slot. */
  waitMs: number;
  /** When it was claimed, as PostgreSQL writes it: a Date would lose the microseconds, and with them the breaker. */
  claimed: string;
  /** Of the event's message, as stored. */
  bytes: number;
}

/** What is sent for a claim, as the database has it just before. */
export interface Outgoing {
  url: string;
  /** One, or while an old one still signs, two: the new one first. */
  secrets: readonly string[];
  /** Attempts of this round, this one included: the row of the table of waits. From 1. */
  row: number;
  event: OutgoingEvent;
}

/** An event as a request tells it. It never changes, and so the request's body is the same at each attempt. */
export interface OutgoingEvent {
  /** `events.id`, a bigint. */
  id: string;
  type: string;
  version: number;
  clientId: string;
  /** As stored. */
  message: string;
  /** The producer's, in UTC with microseconds. */
  time: string | null;
  receivedAt: Date;
}

/** How an attempt ended. Of `status` and `error` one is null. */
export interface Answer {
  status: number | null;
  /** Why there is no answer, in a few words that a member may read. */
  error: string | null;
  /** From the look-up of the name to the last byte that was read. */
  tookMs: number;
  /** The first KiB of what was answered. */
  response: string | null;
  /** From `Retry-After`, counted from now. */
  retryAfterMs: number | null;
}

/** What follows from an answer. */
export interface Verdict {
  ok: boolean;
  /** It was the last attempt of its round. */
  dead: boolean;
  /** Milliseconds from now until the next attempt, where there is one. */
  waitMs: number;
  /** The endpoint answered 410: nothing more goes there. */
  gone: boolean;
}
