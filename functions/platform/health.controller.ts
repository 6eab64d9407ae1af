import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiOkResponse, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Metrics } from './metrics.js';
import { Mongo } from './mongo.js';
import { Postgres } from './postgres.js';
import { Public } from './public.js';
import { Broker } from './rabbitmq.js';

const PING_TIMEOUT_MS = 3_000;

const State = z.enum(['up', 'down']);
const Health = z.strictObject({ status: State, postgres: State, mongodb: State, rabbitmq: State });
type Health = z.infer<typeof Health>;

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
  @ApiOkResponse({ standardSchema: Health })
  @ApiServiceUnavailableResponse({ standardSchema: Health })
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
  @ApiExcludeEndpoint()
  async scrape(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    reply.header('content-type', this.metrics.registry.contentType);
    return this.metrics.registry.metrics();
  }
}

async function state(ping: Promise<void>): Promise<'up' | 'down'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'down'>((resolve) => {
    timer = setTimeout(resolve, PING_TIMEOUT_MS, 'down');
  });
  const answered = ping.then(
    () => 'up' as const,
    () => 'down' as const,
  );
  return Promise.race([answered, late]).finally(() => clearTimeout(timer));
}
