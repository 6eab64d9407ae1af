import { Controller, Get, Header, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { NoteCompany } from '../../../accounts/companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../../../accounts/users/auth.guard.js';
import { Describe } from '../../../platform/http/describe.js';
import { DebtId, type OfCompany, ofCompany } from '../../billing.schemas.js';
import { BOLETO_ROUTES } from './boletos.openapi.js';
import type { BoletoJson } from './boletos.schemas.js';
import { ReadBoleto } from './read-boleto.js';

/** A debt may be paid or cancelled at any time, and then its boleto is given out no more: also by no cache. */
const NOT_KEPT = 'private, no-store';
const SVG = 'image/svg+xml';

/** The routes of boletos. */
@ApiTags('billing')
@UseInterceptors(NoteCompany)
@Controller('billing/debts/:debt_id')
export class BoletosController {
  constructor(private readonly boletos: ReadBoleto) {}

  @Get('boleto')
  @Header('cache-control', NOT_KEPT)
  @Describe(BOLETO_ROUTES.json)
  json(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<BoletoJson> {
    return this.boletos.json(me.id, company_id, debtId);
  }

  @Get('boleto.pdf')
  @Describe(BOLETO_ROUTES.pdf)
  async pdf(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
    @Res() reply: FastifyReply,
  ): Promise<FastifyReply> {
    const pdf = await this.boletos.pdf(me.id, company_id, debtId);
    reply.header('content-disposition', `inline; filename="boleto-${debtId.slice(-8)}.pdf"`);
    return sent(reply, 'application/pdf', pdf);
  }

  @Get('barcode.svg')
  @Describe(BOLETO_ROUTES.barcode)
  async barcode(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
    @Res() reply: FastifyReply,
  ): Promise<FastifyReply> {
    return sent(reply, SVG, await this.boletos.barcode(me.id, company_id, debtId));
  }

  @Get('qrcode.svg')
  @Describe(BOLETO_ROUTES.qrCode)
  async qrCode(
    @CurrentUser() me: SignedInUser,
    @DebtId() debtId: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
    @Res() reply: FastifyReply,
  ): Promise<FastifyReply> {
    return sent(reply, SVG, await this.boletos.qrCode(me.id, company_id, debtId));
  }
}

function sent(reply: FastifyReply, type: string, body: string | Buffer): FastifyReply {
  return reply.header('cache-control', NOT_KEPT).type(type).send(body);
}
