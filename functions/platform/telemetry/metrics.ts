import { Injectable } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { memberNumber, scrapeAll } from '../processes/member.js';
import { routeOf } from './log.js';
import type { Question } from './question.js';

/** Values of a metric, by the one label that it has. */
export type Values = Record<string, number>;

/** A metric that is read from a store. */
interface Asked {
  name: string;
  help: string;
  label: string;
}

/** The metrics of the API, named in docs/operating.md. Other modules register theirs on `registry`. */
@Injectable()
export class Metrics {
  /** What this process counts. Of several processes the sum is shown, or what the metric's `aggregator` says. */
  readonly registry = new Registry();
  /** What is read from a store, the same for all processes: only the one that is scraped asks. */
  readonly #stores = new Registry();
  readonly #requests = new Histogram({
    name: 'disparo_api_request_seconds',
    help: 'From the first byte of a request to the last of its answer, by the path template of the route.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The metrics of all processes that share the port, and what the stores say, in the text format of Prometheus. */
  async scrape(): Promise<string> {
    const counted = memberNumber === undefined ? this.registry.metrics() : scrapeAll();
    return (await Promise.all([counted, this.#stores.metrics()])).join('\n');
  }

  /** Observes every request of an app. */
  observe(fastify: FastifyInstance): void {
    fastify.addHook('onResponse', (request, reply, done) => {
      this.#requests.observe(
        { method: request.method, route: routeOf(request), status: `${Math.floor(reply.statusCode / 100)}xx` },
        reply.elapsedTime / 1_000,
      );
      done();
    });
  }

  /**
   * A gauge whose values each scrape asks for. Without an answer in time it has no value, and the scrape goes on: an old
   * number would be a lie.
   */
  gaugeFrom<T>(gauge: Asked, question: Question<T>, values: (answer: T) => Values): void {
    this.#from(Gauge, gauge, question, values);
  }

  /** The same for a number that never falls. */
  counterFrom<T>(counter: Asked, question: Question<T>, values: (answer: T) => Values): void {
    this.#from(Counter, counter, question, values);
  }

  #from<T>(
    Kind: typeof Gauge | typeof Counter,
    { name, help, label }: Asked,
    question: Question<T>,
    values: (answer: T) => Values,
  ): void {
    new Kind({
      name,
      help,
      labelNames: [label],
      registers: [this.#stores],
      async collect() {
        const answer = await question.answer();
        this.reset();
        if (answer === undefined) return;
        for (const [key, value] of Object.entries(values(answer))) this.inc({ [label]: key }, value);
      },
    });
  }
}
