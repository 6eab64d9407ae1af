import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Describe } from '../../platform/http/describe.js';
import { type Page, PageQuery } from '../../platform/http/slices.js';
import { isId } from '../../platform/http/validation.js';
import { CompanyNotFound } from '../accounts.errors.js';
import {
  type CompanyChange,
  companyChange,
  type NewCompany,
  type NewMember,
  newCompany,
  newMember,
} from '../accounts.schemas.js';
import { CurrentUser, type SignedInUser } from '../users/auth.guard.js';
import { UserId } from '../users/users.controller.js';
import { Companies } from './companies.js';
import { COMPANY_ROUTES } from './companies.openapi.js';
import type { CompanyRow, MemberRow } from './companies.repository.js';
import { CompanyDeletion } from './company-deletion.js';
import { Members } from './members.js';
import { NoteCompany } from './note-company.js';

const CompanyId = (): ParameterDecorator =>
  Param('id', {
    transform: (id: string) => {
      if (!isId(id)) throw new CompanyNotFound();
      return id;
    },
  });

/** The routes of companies and of their members. */
@ApiTags('companies')
@UseInterceptors(NoteCompany)
@Controller('companies')
export class CompaniesController {
  constructor(
    private readonly companies: Companies,
    private readonly deletion: CompanyDeletion,
    private readonly membersOf: Members,
  ) {}

  @Post()
  @Describe(COMPANY_ROUTES.create)
  create(@CurrentUser() me: SignedInUser, @Body({ schema: newCompany }) body: NewCompany): Promise<CompanyRow> {
    return this.companies.create(me.id, body);
  }

  @Get()
  @Describe(COMPANY_ROUTES.list)
  list(@CurrentUser() me: SignedInUser, @Query({ schema: PageQuery }) page: PageQuery): Promise<Page<CompanyRow>> {
    return this.companies.list(me.id, page);
  }

  @Get(':id')
  @Describe(COMPANY_ROUTES.find)
  find(@CurrentUser() me: SignedInUser, @CompanyId() id: string): Promise<CompanyRow> {
    return this.companies.find(me.id, id);
  }

  @Patch(':id')
  @Describe(COMPANY_ROUTES.change)
  change(
    @CurrentUser() me: SignedInUser,
    @CompanyId() id: string,
    @Body({ schema: companyChange }) body: CompanyChange,
  ): Promise<CompanyRow> {
    return this.companies.change(me.id, id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  @Describe(COMPANY_ROUTES.delete)
  delete(@CurrentUser() me: SignedInUser, @CompanyId() id: string): Promise<void> {
    return this.deletion.delete(me.id, id);
  }

  @Get(':id/members')
  @Describe(COMPANY_ROUTES.members)
  members(
    @CurrentUser() me: SignedInUser,
    @CompanyId() id: string,
    @Query({ schema: PageQuery }) page: PageQuery,
  ): Promise<Page<MemberRow>> {
    return this.membersOf.list(me.id, id, page);
  }

  @Post(':id/members')
  @Describe(COMPANY_ROUTES.put)
  put(
    @CurrentUser() me: SignedInUser,
    @CompanyId() id: string,
    @Body({ schema: newMember }) body: NewMember,
  ): Promise<MemberRow> {
    return this.membersOf.put(me.id, id, body);
  }

  @Delete(':id/members/:user_id')
  @HttpCode(204)
  @Describe(COMPANY_ROUTES.remove)
  remove(@CurrentUser() me: SignedInUser, @CompanyId() id: string, @UserId('user_id') userId: string): Promise<void> {
    return this.membersOf.remove(me.id, id, userId);
  }
}
