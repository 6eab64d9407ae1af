import { Controller, Get, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { NoteCompany } from '../../accounts/companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { CsvReply } from '../../platform/http/csv.js';
import { Describe } from '../../platform/http/describe.js';
import { REPORT_ROUTES } from './debts.openapi.js';
import { Report, tableOf } from './report.js';
import { type ReportQuery, type ReportView, reportQuery } from './report.schemas.js';

/** The routes of the report. */
@ApiTags('billing')
@UseInterceptors(NoteCompany)
@Controller('billing')
export class ReportController {
  constructor(
    private readonly reporting: Report,
    private readonly csv: CsvReply,
  ) {}

  @Get('report')
  @Describe(REPORT_ROUTES.read)
  read(@CurrentUser() me: SignedInUser, @Query({ schema: reportQuery }) query: ReportQuery): Promise<ReportView> {
    return this.reporting.read(me.id, query);
  }

  @Get('report.csv')
  @Describe(REPORT_ROUTES.csv)
  async export(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Res() reply: FastifyReply,
  ) {
    const { header, row } = tableOf(await this.reporting.read(me.id, query));
    return this.csv.send(reply, header, only(row));
  }
}

async function* only(row: unknown[]): AsyncGenerator<unknown[]> {
  yield row;
}
