import { Controller, Get, HttpCode, Param, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Describe } from '../../platform/http/describe.js';
import { type Page, PageQuery } from '../../platform/http/slices.js';
import { isId } from '../../platform/http/validation.js';
import { InvitationNotFound } from '../accounts.errors.js';
import type { MemberRow } from '../companies/companies.repository.js';
import { NoteCompany } from '../companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../users/auth.guard.js';
import { Invitations } from './invitations.js';
import { INVITATION_ROUTES } from './invitations.openapi.js';
import type { InvitationRow } from './invitations.repository.js';

const CompanyId = (): ParameterDecorator =>
  Param('company_id', {
    transform: (id: string) => {
      if (!isId(id)) throw new InvitationNotFound();
      return id;
    },
  });

/** The routes by which a user answers invitations. */
@ApiTags('companies')
@UseInterceptors(NoteCompany)
@Controller('invitations')
export class InvitationsController {
  constructor(private readonly invitations: Invitations) {}

  @Get()
  @Describe(INVITATION_ROUTES.list)
  list(@CurrentUser() me: SignedInUser, @Query({ schema: PageQuery }) page: PageQuery): Promise<Page<InvitationRow>> {
    return this.invitations.list(me.id, page);
  }

  @Post(':company_id/accept')
  @HttpCode(200)
  @Describe(INVITATION_ROUTES.accept)
  accept(@CurrentUser() me: SignedInUser, @CompanyId() companyId: string): Promise<MemberRow> {
    return this.invitations.accept(me.id, companyId);
  }

  @Post(':company_id/decline')
  @HttpCode(204)
  @Describe(INVITATION_ROUTES.decline)
  decline(@CurrentUser() me: SignedInUser, @CompanyId() companyId: string): Promise<void> {
    return this.invitations.decline(me.id, companyId);
  }
}
