import { Body, Controller, Get, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../accounts/users/auth.guard.js';
import { BodyLimit } from '../platform/http/body.js';
import { Describe } from '../platform/http/describe.js';
import { isId } from '../platform/http/validation.js';
import { AskUpload, type CreatedUpload } from './ask-upload.js';
import { CAMPAIGN, type UploadRow } from './upload.js';
import { UploadNotFound } from './uploads.errors.js';
import { UPLOAD_ROUTES } from './uploads.openapi.js';
import { type NewUpload, newUpload } from './uploads.schemas.js';

/** The longest text of a campaign is 19 KiB where each character is escaped. */
const BODY_LIMIT_BYTES = 32_768;

/** The id in the path. A text that cannot be an id is answered as not found. */
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
  @BodyLimit(BODY_LIMIT_BYTES)
  @Describe(UPLOAD_ROUTES.create)
  create(
    @CurrentUser() user: SignedInUser,
    @Body({ schema: newUpload }) upload: NewUpload,
    @Req() request: FastifyRequest,
  ): Promise<CreatedUpload> {
    request.companyId = upload.company_id;
    const { company_id: companyId, size, name, message, allow_duplicates: allowDuplicates = false } = upload;
    const becomes = { purpose: CAMPAIGN, name, message, allowDuplicates, phoneColumn: upload.phone_column } as const;
    return this.asking.ask(user.id, { companyId, size, becomes, traceparent: request.traceparent });
  }

  @Get(':id')
  @Describe(UPLOAD_ROUTES.find)
  find(@CurrentUser() user: SignedInUser, @UploadId() id: string): Promise<UploadRow> {
    return this.asking.find(user.id, id);
  }
}
