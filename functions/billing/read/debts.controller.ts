import { Controller, Get, HttpCode, Post, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { NoteCompany } from '../../accounts/companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { CsvReply } from '../../platform/http/csv.js';
import { Describe } from '../../platform/http/describe.js';
import type { SliceOf } from '../../platform/http/slices.js';
import { DebtId, type OfCompany, ofCompany } from '../billing.schemas.js';
import { DEBT_ROUTES } from './debts.openapi.js';
import {
  type DebtDetail,
  type DebtQuery,
  type DebtView,
  debtExportQuery,
  debtQuery,
  debtView,
} from './debts.schemas.js';
import { ReadDebts } from './read-debts.js';

const COLUMNS = Object.keys(debtView.shape);

/** The routes of debts. */
@ApiTags('billing')
@UseInterceptors(NoteCompany)
@Controller('billing')
export class DebtsController {
  constructor(
    private readonly debts: ReadDebts,
    private readonly csv: CsvReply,
  ) {}

  @Get('debts')
  @Describe(DEBT_ROUTES.list)
  list(@CurrentUser() me: SignedInUser, @Query({ schema: debtQuery }) query: DebtQuery): Promise<SliceOf<DebtView>> {
    return this.debts.list(me.id, query);
  }

  @Get('debts.csv')
  @Describe(DEBT_ROUTES.csv)
  async export(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: debtExportQuery }) query: DebtQuery,
    @Res() reply: FastifyReply,
  ) {
    return this.csv.send(reply, COLUMNS, await this.debts.export(me.id, query));
  }

  @Get('debts/:debt_id')
  @Describe(DEBT_ROUTES.find)
  find(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<DebtDetail> {
    return this.debts.find(me.id, company_id, debtId);
  }

  @Post('debts/:debt_id/cancel')
  @HttpCode(200)
  @Describe(DEBT_ROUTES.cancel)
  cancel(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<DebtView> {
    return this.debts.cancel(me.id, company_id, debtId);
  }
}
