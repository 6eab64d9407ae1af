import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyContextConfig, FastifyRequest } from 'fastify';
import { Memberships } from '../../accounts/companies/memberships.js';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { Describe } from '../../platform/http/describe.js';
import type { SliceOf } from '../../platform/http/slices.js';
import { eventId } from '../event-id.js';
import { EventTooLarge, QuarantineNotFound } from '../events.errors.js';
import { MAX_BATCH_BYTES } from '../intake/event-source.js';
import { newBodyIn, viewOf } from './bodies.js';
import { Quarantine } from './quarantine.js';
import { QUARANTINE_ROUTES } from './quarantine.openapi.js';
import {
  type DiscardedView,
  type ManyToReplay,
  manyToReplay,
  type PassView,
  type QuarantinedView,
  type QuarantineQuery,
  quarantineQuery,
  type ReplayedView,
} from './quarantine.schemas.js';

/** A new body is an envelope, and its numbers are kept as they are written. */
const REPLAYING = {
  bodyLimit: MAX_BATCH_BYTES,
  tooLarge: () => new EventTooLarge(),
  raw: true,
} satisfies FastifyContextConfig;

/** A bigint. What cannot be an id is answered as not found. */
const MessageId = (): ParameterDecorator =>
  Param('id', {
    transform: (id: string) => {
      if (!/^[0-9]{1,18}$/.test(id)) throw new QuarantineNotFound();
      return id;
    },
  });

/** The routes of what is in quarantine: a member sees and ends the messages of the own companies. */
@ApiTags('events')
@ApiBearerAuth()
@Controller('events/quarantine')
export class QuarantineController {
  constructor(
    private readonly quarantine: Quarantine,
    private readonly memberships: Memberships,
  ) {}

  @Get()
  @Describe(QUARANTINE_ROUTES.list)
  async list(
    @CurrentUser() user: SignedInUser,
    @Query({ schema: quarantineQuery }) { company_id, resolved, ...filter }: QuarantineQuery,
  ): Promise<SliceOf<QuarantinedView>> {
    await this.memberships.requireMember(user.id, company_id);
    const { rows, more } = await this.quarantine.list([company_id], { ...filter, resolved: resolved === 'true' });
    const last = rows.at(-1);
    return { data: rows.map((row) => viewOf({ ...row, company_id })), next: more && last ? Number(last.id) : null };
  }

  @Post('replay')
  @HttpCode(200)
  @Describe(QUARANTINE_ROUTES.replayMany)
  async replayMany(
    @CurrentUser() user: SignedInUser,
    @Body({ schema: manyToReplay }) { company_id, ...filter }: ManyToReplay,
  ): Promise<PassView> {
    await this.memberships.requireMember(user.id, company_id);
    const { count, lookedAt, next } = await this.quarantine.replayMany([company_id], filter);
    return { count, looked_at: lookedAt, next: next === undefined ? null : Number(next) };
  }

  @Post(':id/replay')
  @HttpCode(200)
  @RouteConfig(REPLAYING)
  @Describe(QUARANTINE_ROUTES.replay)
  async replay(
    @CurrentUser() user: SignedInUser,
    @MessageId() id: string,
    @Req() request: FastifyRequest,
  ): Promise<ReplayedView> {
    const body = newBodyIn(request.body as Buffer | undefined);
    const outcome = await this.quarantine.replay(await this.#companiesOf(user), id, body);
    if (outcome.kind === 'refused') return { outcome: 'quarantined', reason: outcome.reason };
    return { outcome: outcome.kind, event_id: eventId(outcome.eventId) };
  }

  @Post(':id/discard')
  @HttpCode(200)
  @Describe(QUARANTINE_ROUTES.discard)
  async discard(@CurrentUser() user: SignedInUser, @MessageId() id: string): Promise<DiscardedView> {
    await this.quarantine.discard(await this.#companiesOf(user), id);
    return { id, resolution: 'discarded' };
  }

  async #companiesOf({ id }: SignedInUser): Promise<string[]> {
    return [...(await this.memberships.companiesOf(id))];
  }
}
