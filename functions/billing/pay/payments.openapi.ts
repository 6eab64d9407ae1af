import type { ApiHeaderOptions } from '@nestjs/swagger';
import { BODY_ERRORS, type RouteDocs } from '../../platform/http/describe.js';
import { EventReused, SignatureInvalid } from '../billing.errors.js';
import { paymentRequestBody, recordedPayment } from './payments.schemas.js';

/** The header that signs a payment, as OpenAPI shows it. */
export const SIGNATURE: ApiHeaderOptions = {
  name: 'X-Disparo-Signature',
  required: true,
  description:
    '`t=<unix seconds>,v1=<hex of HMAC-SHA256(secret, t + "." + body)>`, over the bytes of the body as they are sent. Several ' +
    '`v1` may stand there, and one that fits is enough.',
  schema: { type: 'string' },
};

/** What OpenAPI says of the webhook of payments. */
export const PAYMENT_ROUTES = {
  record: {
    id: 'recordPayment',
    ids: { company_id: 'company' },
    summary: 'Tell of a payment',
    description:
      'For a bank or a gateway: signed by a secret of the company in place of a login, at most 300 seconds ago. An `event_id` ' +
      'counts once, so a payment without an answer is sent again as it is. Payments of a debt add up: it is `paga` when they ' +
      'reach its amount, also after a cancel. One that fits no debt is kept, and a debt that is imported later does not take it.',
    requestBody: paymentRequestBody,
    answers: { 200: { description: 'It is kept.', schema: recordedPayment } },
    errors: [...BODY_ERRORS, SignatureInvalid, EventReused],
  },
} satisfies Record<string, RouteDocs>;
