import { Controller, Headers, HttpCode, Param, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyContextConfig, FastifyRequest } from 'fastify';
import { Describe } from '../../platform/http/describe.js';
import { Public } from '../../platform/http/public.js';
import { PAYMENT_ROUTES, SIGNATURE } from './payments.openapi.js';
import type { RecordedPayment } from './payments.schemas.js';
import { RecordPayment } from './record-payment.js';

/** The signature is over the bytes as they came. */
const SIGNED = { raw: true } satisfies FastifyContextConfig;
const NO_BODY = Buffer.alloc(0);

/** Where banks and gateways tell of payments. The signature stands for a login. */
@ApiTags('billing')
@Controller('billing/webhooks')
export class PaymentsController {
  constructor(private readonly recording: RecordPayment) {}

  @Post(':company_id/payments')
  @HttpCode(200)
  @Public()
  @RouteConfig(SIGNED)
  @ApiHeader(SIGNATURE)
  @Describe(PAYMENT_ROUTES.record)
  async record(
    @Param('company_id') companyId: string,
    @Headers('x-disparo-signature') signature: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<RecordedPayment> {
    const recorded = await this.recording.record(companyId, signature, (request.body as Buffer | undefined) ?? NO_BODY);
    request.companyId = companyId;
    return recorded;
  }
}
