import { Body, Controller, HttpCode, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NoteCompany } from '../../accounts/companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { Describe } from '../../platform/http/describe.js';
import { DebtId, type OfCompany, ofCompany } from '../billing.schemas.js';
import type { DeliveryView } from '../read/debts.schemas.js';
import { DELIVERY_ROUTES } from './deliveries.openapi.js';
import { DeliveryNumber, type Resolution, resolution } from './deliveries.schemas.js';
import { SettleDelivery } from './settle-delivery.js';

/** The routes of a debt's mails. */
@ApiTags('billing')
@UseInterceptors(NoteCompany)
@Controller('billing/debts/:debt_id')
export class DeliveriesController {
  constructor(private readonly settling: SettleDelivery) {}

  @Post('resend')
  @HttpCode(202)
  @Describe(DELIVERY_ROUTES.resend)
  resend(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<DeliveryView> {
    return this.settling.resend(me.id, company_id, debtId);
  }

  @Post('deliveries/:number/resolve')
  @HttpCode(200)
  @Describe(DELIVERY_ROUTES.resolve)
  resolve(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @DeliveryNumber() number: number,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
    @Body({ schema: resolution }) said: Resolution,
  ): Promise<DeliveryView> {
    return this.settling.resolve(me.id, company_id, debtId, number, said);
  }
}
