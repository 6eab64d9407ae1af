import { Body, Controller, Get, Post, Put, Query, UseInterceptors } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { NoteCompany } from '../../accounts/companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { Describe } from '../../platform/http/describe.js';
import { type OfCompany, ofCompany } from '../billing.schemas.js';
import { SetSettings } from './set-settings.js';
import { SETTINGS_ROUTES } from './settings.openapi.js';
import { type NewSettings, newSettings, type SettingsView, type WebhookSecret } from './settings.schemas.js';

/** The routes of how a company bills. */
@ApiTags('billing')
@ApiBearerAuth()
@UseInterceptors(NoteCompany)
@Controller('billing/settings')
export class SettingsController {
  constructor(private readonly settings: SetSettings) {}

  @Get()
  @Describe(SETTINGS_ROUTES.get)
  read(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<SettingsView> {
    return this.settings.read(me.id, company_id);
  }

  @Put()
  @Describe(SETTINGS_ROUTES.set)
  set(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
    @Body({ schema: newSettings }) wanted: NewSettings,
  ): Promise<SettingsView> {
    return this.settings.set(me.id, company_id, wanted);
  }

  @Post('webhook-secrets')
  @Describe(SETTINGS_ROUTES.makeSecret)
  makeSecret(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<WebhookSecret> {
    return this.settings.makeSecret(me.id, company_id);
  }
}
