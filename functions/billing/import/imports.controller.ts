import { Controller, Get, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { CsvReply } from '../../platform/http/csv.js';
import { Describe } from '../../platform/http/describe.js';
import type { Page, SliceOf } from '../../platform/http/slices.js';
import { ImportId, type OfCompany, ofCompany } from '../billing.schemas.js';
import { IMPORT_ROUTES } from './imports.openapi.js';
import {
  type ImportsQuery,
  type ImportView,
  importsQuery,
  type Reject,
  type RejectsQuery,
  rejectsExport,
  rejectsQuery,
} from './imports.schemas.js';
import { ReadImports } from './read-imports.js';
import { ReceiveImport } from './receive-import.js';

const REJECT_COLUMNS = ['line', 'column', 'value', 'reason'];

/** The routes of imports, as the HTTP contract has them. */
@ApiTags('billing')
@ApiBearerAuth()
@Controller('billing/imports')
export class ImportsController {
  constructor(
    private readonly receiving: ReceiveImport,
    private readonly reading: ReadImports,
    private readonly csv: CsvReply,
  ) {}

  @Post()
  @Describe(IMPORT_ROUTES.create)
  async create(@CurrentUser() user: SignedInUser, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const made = await this.receiving.receive(user.id, request);
    return reply.status(201).header('location', `/api/billing/imports/${made.id}`).send(made);
  }

  @Get()
  @Describe(IMPORT_ROUTES.list)
  list(
    @CurrentUser() user: SignedInUser,
    @Query({ schema: importsQuery }) { company_id, ...page }: ImportsQuery,
  ): Promise<Page<ImportView>> {
    return this.reading.list(user.id, company_id, page);
  }

  @Get(':id')
  @Describe(IMPORT_ROUTES.find)
  find(
    @CurrentUser() user: SignedInUser,
    @ImportId() id: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<ImportView> {
    return this.reading.find(user.id, company_id, id);
  }

  @Get(':id/rejects')
  @Describe(IMPORT_ROUTES.rejects)
  listRejects(
    @CurrentUser() user: SignedInUser,
    @ImportId() id: string,
    @Query({ schema: rejectsQuery }) { company_id, ...slice }: RejectsQuery,
  ): Promise<SliceOf<Reject>> {
    return this.reading.rejects(user.id, company_id, id, slice);
  }

  @Get(':id/rejects.csv')
  @Describe(IMPORT_ROUTES.rejectsCsv)
  async exportRejects(
    @CurrentUser() user: SignedInUser,
    @ImportId() id: string,
    @Query({ schema: rejectsExport }) { company_id, ...slice }: RejectsQuery,
    @Res() reply: FastifyReply,
  ) {
    return this.csv.send(reply, REJECT_COLUMNS, await this.reading.exportRejects(user.id, company_id, id, slice));
  }
}
