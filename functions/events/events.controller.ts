import { Controller, Get, Post, Query, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../accounts/users/auth.guard.js';
import { TakesKey } from '../accounts/users/key-bearers.js';
import { Describe } from '../platform/http/describe.js';
import type { SliceOf } from '../platform/http/slices.js';
import { AcceptEvents } from './accept-events.js';
import { EventTooLarge } from './events.errors.js';
import { EVENT_ROUTES } from './events.openapi.js';
import { type EventQuery, type EventView, eventQuery } from './events.schemas.js';
import { MAX_BATCH_BYTES } from './intake/event-source.js';
import { ReadEvents } from './read-events.js';

/** Decoded by the decoder of the queue: what is an event there is one here. */
const SENDING = {
  bodyLimit: MAX_BATCH_BYTES,
  tooLarge: () => new EventTooLarge(),
  raw: true,
} satisfies FastifyContextConfig;

/** The routes of events, as the HTTP contract has them. */
@ApiTags('events')
@ApiBearerAuth()
@Controller('events')
export class EventsController {
  constructor(
    private readonly accepting: AcceptEvents,
    private readonly reading: ReadEvents,
  ) {}

  @Post()
  @TakesKey('evk_')
  @RouteConfig(SENDING)
  @Describe(EVENT_ROUTES.send)
  async send(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const answer = await this.accepting.accept(request, request.body as Buffer | undefined);
    return reply.status('outcome' in answer && answer.outcome === 'stored' ? 202 : 200).send(answer);
  }

  @Get()
  @Describe(EVENT_ROUTES.list)
  list(
    @CurrentUser() user: SignedInUser,
    @Query({ schema: eventQuery }) query: EventQuery,
  ): Promise<SliceOf<EventView>> {
    return this.reading.list(user.id, query);
  }
}
