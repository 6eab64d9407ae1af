import { Controller, Get, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { withDeadline } from '../deadline.js';
import { Mongo } from '../stores/mongo.js';
import { Postgres } from '../stores/postgres.js';
import { Broker } from '../stores/rabbitmq.js';
import { Metrics } from '../telemetry/metrics.js';
import { Describe, type RouteDocs } from './describe.js';
import { Public } from './public.js';

const PING_TIMEOUT_MS = 3_000;

const State = z.enum(['up', 'down']);
const stateOf = (what: string) => State.meta({ description: `Whether ${what}.`, example: 'up' });
const Health = z
  .strictObject({
    status: stateOf('all of them are up'),
    postgres: stateOf('PostgreSQL answers'),
    mongodb: stateOf('MongoDB answers'),
    rabbitmq: stateOf('RabbitMQ answers'),
  })
  .meta({ id: 'Health', description: 'What is up.' });
type Health = z.infer<typeof Health>;

const HEALTH: RouteDocs = {
  id: 'getHealth',
  summary: 'Health',
  description: 'Asks the three stores, for three seconds at most.',
  answers: {
    200: { description: 'All are up.', schema: Health },
    503: { description: 'At least one is down.', schema: Health },
  },
};

const METRICS: RouteDocs = {
  id: 'getMetrics',
  summary: 'Metrics',
  description: 'What the API has done, all of its processes together, as Prometheus reads it.',
  answers: {
    200: {
      description: 'The text format of Prometheus.',
      text: {
        type: 'text/plain',
        example: 'disparo_api_request_seconds_count{method="GET",route="/api/health",status="2xx"} 1\n',
      },
    },
  },
};

/** What a load balancer and Prometheus ask, without a login. */
@ApiTags('operating')
@Public()
@Controller()
export class HealthController {
  constructor(
    private readonly postgres: Postgres,
    private readonly mongo: Mongo,
    private readonly broker: Broker,
    private readonly metrics: Metrics,
  ) {}

  @Get('health')
  @Describe(HEALTH)
  async health(@Res({ passthrough: true }) reply: FastifyReply): Promise<Health> {
    const [postgres, mongodb, rabbitmq] = await Promise.all([
      state(this.postgres.ping()),
      state(this.mongo.ping()),
      state(this.broker.ping()),
    ]);
    const status = [postgres, mongodb, rabbitmq].every((each) => each === 'up') ? 'up' : 'down';
    reply.status(status === 'up' ? 200 : 503);
    return { status, postgres, mongodb, rabbitmq };
  }

  @Get('metrics')
  @Describe(METRICS)
  async scrape(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    reply.header('content-type', this.metrics.contentType);
    return this.metrics.scrape();
  }
}

function state(ping: Promise<void>): Promise<'up' | 'down'> {
  const answered = ping.then(
    () => 'up' as const,
    () => 'down' as const,
  );
  return withDeadline<'up' | 'down'>(PING_TIMEOUT_MS, answered, () => 'down');
}
