import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { type CompanyQuery, companyQuery } from '../../events/registry/registry.schemas.js';
import { BodyLimit } from '../../platform/http/body.js';
import { Describe } from '../../platform/http/describe.js';
import type { Page, SliceOf } from '../../platform/http/slices.js';
import { isId } from '../../platform/http/validation.js';
import { DeliveryNotFound, EndpointNotFound } from '../webhooks.errors.js';
import { Endpoints } from './endpoints.js';
import { ENDPOINT_ROUTES } from './endpoints.openapi.js';
import type { EndpointRow } from './endpoints.repository.js';
import {
  type AttemptQuery,
  type AttemptView,
  attemptQuery,
  type DeadDelivery,
  type DeliveryQuery,
  deliveryQuery,
  type EndpointChange,
  endpointChange,
  type ManyToReplay,
  manyToReplay,
  type NewEndpoint,
  newEndpoint,
  type ReplayedDeliveries,
  type ReplayedDelivery,
} from './endpoints.schemas.js';
import { Replay } from './replay.js';

/** For 100 names of types and a URL, each as long as may be. */
const MAX_BYTES = 32 * 1_024;

const EndpointId = (name = 'id'): ParameterDecorator =>
  Param(name, {
    transform: (id: string) => {
      if (!isId(id)) throw new EndpointNotFound();
      return id;
    },
  });

/** The bigint of `evt_1`. What cannot be one is answered as not found. */
const EventNumber = (): ParameterDecorator =>
  Param('id', {
    transform: (id: string) => {
      const number = /^evt_([1-9][0-9]{0,17})$/.exec(id)?.[1];
      if (number === undefined) throw new DeliveryNotFound();
      return number;
    },
  });

/** The routes of endpoints: where the events of a company go, how that went, and again. */
@ApiTags('webhooks')
@ApiBearerAuth()
@Controller('events')
export class EndpointsController {
  constructor(
    private readonly endpoints: Endpoints,
    private readonly replay: Replay,
  ) {}

  @Post('endpoints')
  @BodyLimit(MAX_BYTES)
  @Describe(ENDPOINT_ROUTES.create)
  create(
    @CurrentUser() me: SignedInUser,
    @Body({ schema: newEndpoint }) body: NewEndpoint,
    @Req() request: FastifyRequest,
  ): Promise<EndpointRow & { secret: string }> {
    request.companyId = body.company_id;
    return this.endpoints.create(me.id, body);
  }

  @Get('endpoints')
  @Describe(ENDPOINT_ROUTES.list)
  list(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: companyQuery }) query: CompanyQuery,
  ): Promise<Page<EndpointRow>> {
    return this.endpoints.list(me.id, query);
  }

  @Get('endpoints/:id')
  @Describe(ENDPOINT_ROUTES.get)
  get(@CurrentUser() me: SignedInUser, @EndpointId() id: string): Promise<EndpointRow> {
    return this.endpoints.detail(me.id, id);
  }

  @Patch('endpoints/:id')
  @BodyLimit(MAX_BYTES)
  @Describe(ENDPOINT_ROUTES.change)
  change(
    @CurrentUser() me: SignedInUser,
    @EndpointId() id: string,
    @Body({ schema: endpointChange }) body: EndpointChange,
  ): Promise<EndpointRow & { secret?: string }> {
    return this.endpoints.change(me.id, id, body);
  }

  @Delete('endpoints/:id')
  @HttpCode(204)
  @Describe(ENDPOINT_ROUTES.delete)
  delete(@CurrentUser() me: SignedInUser, @EndpointId() id: string): Promise<void> {
    return this.endpoints.delete(me.id, id);
  }

  @Get('endpoints/:id/attempts')
  @Describe(ENDPOINT_ROUTES.attempts)
  attempts(
    @CurrentUser() me: SignedInUser,
    @EndpointId() id: string,
    @Query({ schema: attemptQuery }) query: AttemptQuery,
  ): Promise<SliceOf<AttemptView>> {
    return this.endpoints.attempts(me.id, id, query);
  }

  @Get('endpoints/:id/deliveries')
  @Describe(ENDPOINT_ROUTES.deliveries)
  deliveries(
    @CurrentUser() me: SignedInUser,
    @EndpointId() id: string,
    @Query({ schema: deliveryQuery }) query: DeliveryQuery,
  ): Promise<SliceOf<DeadDelivery>> {
    return this.endpoints.dead(me.id, id, query);
  }

  @Post('endpoints/:id/replay')
  @HttpCode(202)
  @Describe(ENDPOINT_ROUTES.replayMany)
  replayMany(
    @CurrentUser() me: SignedInUser,
    @EndpointId() id: string,
    @Body({ schema: manyToReplay }) body: ManyToReplay,
  ): Promise<ReplayedDeliveries> {
    return this.replay.many(me.id, id, body);
  }

  @Post(':id/deliveries/:endpoint/replay')
  @HttpCode(202)
  @Describe(ENDPOINT_ROUTES.replayOne)
  replayOne(
    @CurrentUser() me: SignedInUser,
    @EventNumber() event: string,
    @EndpointId('endpoint') endpoint: string,
  ): Promise<ReplayedDelivery> {
    return this.replay.one(me.id, endpoint, event);
  }
}
