import { Body, Controller, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { Describe } from '../../platform/http/describe.js';
import { AskUpload, type CreatedUpload } from '../../uploads/ask-upload.js';
import { shownFileName } from './accept-import.js';
import { DEBTS_UPLOAD_ROUTES } from './uploads.openapi.js';
import { type NewDebtsUpload, newDebtsUpload } from './uploads.schemas.js';

/** The route for files of debts that are too large for a form; what becomes of one is asked at /api/uploads/:id. */
@ApiTags('billing')
@ApiBearerAuth()
@Controller('billing/uploads')
export class DebtsUploadsController {
  constructor(private readonly asking: AskUpload) {}

  @Post()
  @Describe(DEBTS_UPLOAD_ROUTES.create)
  create(
    @CurrentUser() user: SignedInUser,
    @Body({ schema: newDebtsUpload }) { company_id: companyId, size, file_name = '' }: NewDebtsUpload,
    @Req() request: FastifyRequest,
  ): Promise<CreatedUpload> {
    request.companyId = companyId;
    const becomes = { purpose: 'billing', fileName: shownFileName(file_name) } as const;
    return this.asking.ask(user.id, { companyId, size, becomes, traceparent: request.traceparent });
  }
}
