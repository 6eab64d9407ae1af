import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../accounts/users/auth.guard.js';
import type { MessageView } from '../ledger/message-store.js';
import type { CampaignView } from '../ledger/read/campaign-row.js';
import { BodyLimit } from '../platform/http/body.js';
import { CsvReply } from '../platform/http/csv.js';
import { Describe } from '../platform/http/describe.js';
import { exportQuery, type Page, type Slice, type SliceOf, sliceQuery } from '../platform/http/slices.js';
import { isId } from '../platform/http/validation.js';
import { CampaignNotFound, FileTooLarge } from './campaigns.errors.js';
import { CAMPAIGN_ROUTES, NOT_KEPT_HEADER } from './campaigns.openapi.js';
import { type CampaignChange, type CampaignQuery, campaignChange, campaignQuery } from './campaigns.schemas.js';
import { CreateCampaign } from './create/create-campaign.js';
import { DeleteCampaign } from './delete-campaign.js';
import { ReadCampaigns } from './read/read-campaigns.js';
import { ReadMessages, type RejectSlice } from './read/read-messages.js';
import { RenameCampaign } from './rename-campaign.js';
import { SteerCampaign } from './steer-campaign.js';

const MIB = 1_048_576;
/** For a JSON body, which has its numbers in a list. A form has the limit of its file. */
const LIST_LIMIT_MIB = 10;
const MESSAGE_COLUMNS = ['sequence', 'phone_number', 'identifier', 'message', 'created_at'];
const REJECT_COLUMNS = ['line', 'value', 'reason'];

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  description: 'Makes the request safe to repeat for 24 hours, within the company: 1 to 255 printable characters.',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  example: 'black-friday-2026',
} as const;

/** The id in the path. A text that cannot be an id is answered as not found. It never reaches SQL, which refuses NUL. */
const CampaignId = () =>
  Param('id', {
    transform: (id: string) => {
      if (!isId(id)) throw new CampaignNotFound();
      return id;
    },
  });

/** The routes of campaigns, as the HTTP contract has them. */
@ApiTags('campaigns')
@ApiBearerAuth()
@Controller('campaigns')
export class CampaignsController {
  constructor(
    private readonly creating: CreateCampaign,
    private readonly reading: ReadCampaigns,
    private readonly renaming: RenameCampaign,
    private readonly steering: SteerCampaign,
    private readonly deleting: DeleteCampaign,
    private readonly messages: ReadMessages,
    private readonly csv: CsvReply,
  ) {}

  @Post()
  @BodyLimit(LIST_LIMIT_MIB * MIB, () => new FileTooLarge(LIST_LIMIT_MIB))
  @ApiHeader(IDEMPOTENCY_KEY)
  @Describe(CAMPAIGN_ROUTES.create)
  async create(@CurrentUser() user: SignedInUser, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const { status, campaignId, body } = await this.creating.create(user.id, request);
    return reply.status(status).header('location', `/api/campaigns/${campaignId}`).type('application/json').send(body);
  }

  @Get()
  @Describe(CAMPAIGN_ROUTES.list)
  list(
    @CurrentUser() user: SignedInUser,
    @Query({ schema: campaignQuery }) query: CampaignQuery,
  ): Promise<Page<CampaignView>> {
    return this.reading.list(user.id, query);
  }

  @Get(':id')
  @Describe(CAMPAIGN_ROUTES.find)
  find(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignView> {
    return this.reading.find(user.id, id);
  }

  @Patch(':id')
  @Describe(CAMPAIGN_ROUTES.rename)
  rename(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Body({ schema: campaignChange }) change: CampaignChange,
  ): Promise<CampaignView> {
    return this.renaming.rename(user.id, id, change.name);
  }

  @Delete(':id')
  @HttpCode(204)
  @Describe(CAMPAIGN_ROUTES.delete)
  delete(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<void> {
    return this.deleting.delete(user.id, id);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @Describe(CAMPAIGN_ROUTES.pause)
  pause(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignView> {
    return this.steering.pause(user.id, id);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @Describe(CAMPAIGN_ROUTES.resume)
  resume(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignView> {
    return this.steering.resume(user.id, id);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Describe(CAMPAIGN_ROUTES.cancel)
  cancel(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignView> {
    return this.steering.cancel(user.id, id);
  }

  @Get(':id/messages')
  @Describe(CAMPAIGN_ROUTES.messages)
  listMessages(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: sliceQuery }) slice: Slice,
  ): Promise<SliceOf<MessageView>> {
    return this.messages.messages(user.id, id, slice);
  }

  @Get(':id/messages.csv')
  @Describe(CAMPAIGN_ROUTES.messagesCsv)
  async exportMessages(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: exportQuery }) slice: Slice,
    @Res() reply: FastifyReply,
  ) {
    return this.csv.send(reply, MESSAGE_COLUMNS, await this.messages.exportMessages(user.id, id, slice));
  }

  @Get(':id/rejects')
  @Describe(CAMPAIGN_ROUTES.rejects)
  listRejects(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: sliceQuery }) slice: Slice,
  ): Promise<RejectSlice> {
    return this.messages.rejects(user.id, id, slice);
  }

  @Get(':id/rejects.csv')
  @Describe(CAMPAIGN_ROUTES.rejectsCsv)
  async exportRejects(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: exportQuery }) slice: Slice,
    @Res() reply: FastifyReply,
  ) {
    const { rows, notKept } = await this.messages.exportRejects(user.id, id, slice);
    if (notKept > 0) reply.header(NOT_KEPT_HEADER, String(notKept));
    return this.csv.send(reply, REJECT_COLUMNS, rows);
  }
}
