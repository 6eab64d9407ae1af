import { Body, Controller, Get, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../accounts/auth.guard.js';
import { traceparentOf } from '../campaigns/accept-campaign.js';
import { isId } from '../platform/validation.js';
import { AskUpload, type CreatedUpload } from './ask-upload.js';
import { UploadNotFound } from './uploads.errors.js';
import type { UploadRow } from './uploads.repository.js';
import { createdUploadView, type NewUpload, newUpload, uploadView } from './uploads.schemas.js';

/** The id in the path. What cannot be one is just not found. */
const UploadId = () =>
  Param('id', {
    transform: (id: string) => {
      if (!isId(id)) throw new UploadNotFound();
      return id;
    },
  });

/** The routes of uploads, as the HTTP contract has them. */
@ApiTags('uploads')
@ApiBearerAuth()
@Controller('uploads')
export class UploadsController {
  constructor(private readonly asking: AskUpload) {}

  @Post()
  @ApiCreatedResponse({ standardSchema: createdUploadView })
  create(
    @CurrentUser() user: SignedInUser,
    @Body({ schema: newUpload }) upload: NewUpload,
    @Req() request: FastifyRequest,
  ): Promise<CreatedUpload> {
    request.companyId = upload.company_id;
    return this.asking.ask(user.id, upload, traceparentOf(request.headers.traceparent));
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: uploadView })
  find(@CurrentUser() user: SignedInUser, @UploadId() id: string): Promise<UploadRow> {
    return this.asking.find(user.id, id);
  }
}
