import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiProduces,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../accounts/auth.guard.js';
import { isId, type Page } from '../platform/validation.js';
import type { Reject } from '../recipients/reject-list.js';
import { CampaignNotFound } from './campaigns.errors.js';
import type { CampaignRow } from './campaigns.repository.js';
import {
  type CampaignChange,
  type CampaignQuery,
  campaignChange,
  campaignPage,
  campaignQuery,
  campaignView,
  createdCampaignView,
  exportQuery,
  messageSlice,
  rejectSlice,
  type Slice,
  sliceQuery,
  uploadBody,
} from './campaigns.schemas.js';
import { CreateCampaign } from './create-campaign.js';
import { CsvReply } from './csv.js';
import { DeleteCampaign } from './delete-campaign.js';
import { ReadCampaigns } from './read-campaigns.js';
import { type MessageView, ReadMessages, type SliceOf } from './read-messages.js';
import { SteerCampaign } from './steer-campaign.js';

const MESSAGE_COLUMNS = ['sequence', 'phone_number', 'identifier', 'message', 'created_at'];
const REJECT_COLUMNS = ['line', 'value', 'reason'];

/** The id in the path. What cannot be one is just not found, and never reaches SQL, which refuses NUL. */
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
    private readonly steering: SteerCampaign,
    private readonly deleting: DeleteCampaign,
    private readonly messages: ReadMessages,
    private readonly csv: CsvReply,
  ) {}

  @Post()
  @ApiConsumes('multipart/form-data', 'application/json')
  @ApiBody({ schema: uploadBody })
  @ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string', minLength: 1, maxLength: 255 } })
  @ApiCreatedResponse({ standardSchema: createdCampaignView })
  async create(@CurrentUser() user: SignedInUser, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const { status, campaignId, body } = await this.creating.fromRequest(user.id, request);
    return reply.status(status).header('location', `/api/campaigns/${campaignId}`).type('application/json').send(body);
  }

  @Get()
  @ApiOkResponse({ standardSchema: campaignPage })
  list(
    @CurrentUser() user: SignedInUser,
    @Query({ schema: campaignQuery }) query: CampaignQuery,
  ): Promise<Page<CampaignRow>> {
    return this.reading.list(user.id, query);
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: campaignView })
  find(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignRow> {
    return this.reading.find(user.id, id);
  }

  @Patch(':id')
  @ApiOkResponse({ standardSchema: campaignView })
  rename(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Body({ schema: campaignChange }) change: CampaignChange,
  ): Promise<CampaignRow> {
    return this.reading.rename(user.id, id, change.name);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiNoContentResponse()
  delete(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<void> {
    return this.deleting.delete(user.id, id);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: campaignView })
  pause(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignRow> {
    return this.steering.pause(user.id, id);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: campaignView })
  resume(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignRow> {
    return this.steering.resume(user.id, id);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: campaignView })
  cancel(@CurrentUser() user: SignedInUser, @CampaignId() id: string): Promise<CampaignRow> {
    return this.steering.cancel(user.id, id);
  }

  @Get(':id/messages')
  @ApiOkResponse({ standardSchema: messageSlice })
  listMessages(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: sliceQuery }) slice: Slice,
  ): Promise<SliceOf<MessageView>> {
    return this.messages.messages(user.id, id, slice);
  }

  @Get(':id/messages.csv')
  @ApiProduces('text/csv')
  @ApiOkResponse({ schema: { type: 'string' } })
  async exportMessages(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: exportQuery }) slice: Slice,
    @Res() reply: FastifyReply,
  ) {
    return this.csv.send(reply, MESSAGE_COLUMNS, await this.messages.exportMessages(user.id, id, slice));
  }

  @Get(':id/rejects')
  @ApiOkResponse({ standardSchema: rejectSlice })
  listRejects(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: sliceQuery }) slice: Slice,
  ): Promise<SliceOf<Reject>> {
    return this.messages.rejects(user.id, id, slice);
  }

  @Get(':id/rejects.csv')
  @ApiProduces('text/csv')
  @ApiOkResponse({ schema: { type: 'string' } })
  async exportRejects(
    @CurrentUser() user: SignedInUser,
    @CampaignId() id: string,
    @Query({ schema: exportQuery }) slice: Slice,
    @Res() reply: FastifyReply,
  ) {
    return this.csv.send(reply, REJECT_COLUMNS, await this.messages.exportRejects(user.id, id, slice));
  }
}
