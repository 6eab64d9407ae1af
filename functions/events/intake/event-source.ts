import type { Service } from '@disparo/contract';

/** A message as it came from a queue, not looked at yet. */
export interface Delivery {
  /** The bytes as they came. */
  readonly body: Buffer;
  /**
   * The dedupe key of an event whose envelope has no `id`: `b:` and the broker's id, or `h:` and a SHA-256 in hexadecimal of
   * body and time. At most 300 printable ASCII characters.
   */
  readonly key: string;
  /**
   * Whether its sender may send for this client, which is registered for this company. Of another client it is told what it is
   * told of an unknown one. Absent: the sender is a queue, which may send for all.
   */
  readonly maySend?: (clientId: string, companyId: string) => boolean;
}

/** Bytes of the bodies of a batch at most, unless one alone has more. */
export const MAX_BATCH_BYTES = 4 * 1_024 * 1_024;

/** How many deliveries make a batch. */
export interface BatchLimits {
  deliveries: number;
  /** After this time from the first delivery the batch goes as it is. In milliseconds. */
  lingerMs: number;
}

/**
 * Where events come from. One loop works on every kind of it, batch after batch, and only through these three. A source is
 * one session with its broker: what it received is settled on it and on no newer one.
 */
export interface EventSource<D extends Delivery = Delivery> {
  /** For logs and metrics. */
  readonly queue: string;
  /**
   * Waits for the first delivery, then for more within the limits. Empty only when no more is to be received: told to stop.
   * Rejects with Interrupted when the session is lost. Of several who wait, each has a batch of its own.
   */
  receive(limits: BatchLimits): Promise<D[]>;
  /**
   * These, a batch as it was received, are rows of PostgreSQL: the broker may forget them, and nothing else. It does not say
   * whether it has heard; where it has not, they come again as duplicates. Rejects with Interrupted when the session is lost.
   */
  done(deliveries: readonly D[]): Promise<void>;
  /** These were not stored, and nobody works on them any more: they may be delivered again at once. */
  release(deliveries: readonly D[]): Promise<void>;
  /** Fires when the session is lost, with the reason: what it delivered will be delivered again. */
  readonly lost: AbortSignal;
}

/** A broker from which events come. */
export interface EventBroker {
  /** Whether it is up, as its loop sees it. */
  service: Service;
  /** As its sources name it. */
  queue: string;
  /** Runs `work` on a new source, which is closed after it. Rejects when it cannot be opened, and as `work` does. */
  session(stop: AbortSignal, work: (source: EventSource) => Promise<void>): Promise<void>;
}
