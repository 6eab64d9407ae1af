import { once } from 'node:events';
import {
  backoffMs,
  ConfigurationError,
  Interrupted,
  pause,
  Service,
  unlessInterrupted,
  untilUp,
} from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Log, saysTo } from '../../platform/telemetry/log.js';
import { EventBrokers } from './event-brokers.js';
import type { Delivery, EventBroker, EventSource } from './event-source.js';
import { EventsMeter } from './events-meter.js';
import type { Outcome } from './outcome.js';
import { StoreEvents } from './store-events.js';

/** Batches of a source under way at a time: while one is stored, the next is gathered, triaged and stored next to it. */
const BATCHES_AT_A_TIME = 2;
/** A batch that is not full waits so long for more, once. */
const LINGER_MS = 3;
/** Next to other work that goes on, until a broker that refuses us is asked again. */
const REFUSED_MS = 10_000;

/** Brings what stands on queues into PostgreSQL: as an event, or into quarantine with its reason. */
@Injectable()
export class ProcessEvents {
  readonly #postgres: Service;

  constructor(
    private readonly brokers: EventBrokers,
    private readonly store: StoreEvents,
    private readonly postgres: Postgres,
    private readonly meter: EventsMeter,
    private readonly config: Config,
    private readonly log: Log,
  ) {
    this.#postgres = new Service('PostgreSQL', 'DATABASE_URL', config.databaseUrl, saysTo(log));
    for (const { queue } of brokers.all) meter.takesFrom(queue);
  }

  /** Whether the loops see PostgreSQL and their brokers, by their names in lower case. */
  services(): Record<string, boolean> {
    const services = [this.#postgres, ...this.brokers.all.map(({ service }) => service)];
    return Object.fromEntries(services.map(({ title, isUp }) => [title.toLowerCase(), isUp]));
  }

  /**
   * A loop for each broker, until told to stop: then it finishes its batch. Throws ConfigurationError when a service refuses
   * us for good at the start; later only a bug.
   */
  async run(stop: AbortSignal): Promise<void> {
    if (this.brokers.all.length === 0) return untilStopped(stop);
    const failed = new AbortController();
    const over = AbortSignal.any([stop, failed.signal]);
    // Side by side: the wrong password of one service must not wait for another service that is not up yet.
    const all = [this.#pingPostgres(over), ...this.brokers.all.map((broker) => this.#sessions(broker, over))];
    const settled = await Promise.allSettled(
      all.map((each) =>
        each.catch((error: unknown) => {
          failed.abort();
          throw error;
        }),
      ),
    );
    const first = settled.find((each) => each.status === 'rejected');
    if (first) throw first.reason;
  }

  /** For the plain server: as `run`, but a refusal ends nothing, since other work goes on. It is said once for each broker. */
  async loop(stop: AbortSignal): Promise<void> {
    if (this.brokers.all.length === 0) return untilStopped(stop);
    await Promise.all(this.brokers.all.map((broker) => this.#despiteRefusals(broker, stop)));
  }

  async #despiteRefusals(broker: EventBroker, stop: AbortSignal): Promise<void> {
    for (let said = false; !stop.aborted; said = true) {
      try {
        await this.#sessions(broker, stop);
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        if (!said) this.log.error({}, `no events are taken from ${broker.service.title}: ${error.message}`);
        await pause(stop, REFUSED_MS);
      }
    }
  }

  /** An idle queue would not tell whether PostgreSQL takes us. */
  async #pingPostgres(stop: AbortSignal): Promise<void> {
    await untilUp(stop, this.#postgres, () => this.postgres.ping()).catch((error: unknown) => {
      if (!(error instanceof Interrupted)) throw error;
    });
  }

  /** For a function: resolves when all are rows. Rejects with ServiceUnavailable and others; then a part may be rows. */
  async once(deliveries: readonly Delivery[], queue = 'sqs'): Promise<void> {
    const began = performance.now();
    this.meter.batch(queue, await this.#store(deliveries), performance.now() - began);
  }

  /** Session after session. A broker that takes the connection and refuses all after it must not be hammered. */
  async #sessions({ service, session }: EventBroker, stop: AbortSignal): Promise<void> {
    for (let failures = 0; !stop.aborted; ) {
      let batches = 0;
      try {
        await session(stop, async (source) => {
          service.succeeded();
          this.log.info({ queue: source.queue, prefetch: this.config.eventsPrefetch }, 'receiving events');
          const lane = async () => {
            while ((await this.runNext(source)) === 'batch') batches += 1;
          };
          await Promise.all(Array.from({ length: BATCHES_AT_A_TIME }, lane));
          if (source.lost.aborted) service.lost(source.lost.reason);
        });
      } catch (error) {
        // Not the broker's own: PostgreSQL has refused a batch.
        if (error instanceof ConfigurationError && error.variable === this.#postgres.variable) throw error;
        // Told to stop while it connected: that is no failure.
        if (!(error instanceof Interrupted)) service.failed(error);
      }
      if (stop.aborted) return;
      failures = batches > 0 ? 0 : failures + 1;
      await pause(stop, backoffMs(failures + 1));
    }
  }

  /** One batch from start to finish. `over`: there will be no further one on this source. */
  async runNext(source: EventSource): Promise<'batch' | 'over'> {
    let deliveries: readonly Delivery[] = [];
    try {
      // They share what may be unacknowledged: one that took all of it would leave nothing to the other.
      const most = Math.ceil(this.config.eventsPrefetch / BATCHES_AT_A_TIME);
      deliveries = await source.receive({ deliveries: most, lingerMs: LINGER_MS }); // 1 gather
      if (deliveries.length === 0) return 'over';
      const began = performance.now();
      // 2 triage, 3 store
      const outcomes = await untilUp(source.lost, this.#postgres, () =>
        // A lost session does not wait for PostgreSQL: the next one is not held up, nor is the end of the process.
        unlessInterrupted(source.lost, this.#store(deliveries)),
      );
      await source.done(deliveries); // 4 settle
      this.meter.batch(source.queue, outcomes, performance.now() - began); // 5 report
      return 'batch';
    } catch (error) {
      // Its session is gone: all of it comes again, and what is stored is found by its key.
      if (error instanceof Interrupted) return 'over';
      await source.release(deliveries);
      throw error;
    }
  }

  /** As often as needed: what was stored is found by its key. */
  #store(deliveries: readonly Delivery[]): Promise<Outcome[]> {
    return this.postgres.unlessSilent(() => this.store.store(deliveries, true));
  }
}

async function untilStopped(stop: AbortSignal): Promise<void> {
  if (!stop.aborted) await once(stop, 'abort');
}
