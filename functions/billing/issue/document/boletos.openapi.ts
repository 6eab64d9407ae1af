import { CompanyNotFound, TOKEN_ERRORS } from '../../../accounts/accounts.errors.js';
import type { RouteDocs } from '../../../platform/http/describe.js';
import { DebtClosed, DebtNotFound, NotIssued } from '../../billing.errors.js';
import { boletoJson } from './boletos.schemas.js';

const params = { debt_id: 'The id of the debt in its file, a UUID in either letter case.' };
const errors = [...TOKEN_ERRORS, CompanyNotFound, DebtNotFound, NotIssued, DebtClosed];
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"></svg>';

/** What OpenAPI says of the routes of boletos. */
export const BOLETO_ROUTES = {
  json: {
    id: 'getBoleto',
    params,
    summary: 'Show what a boleto is paid by',
    description:
      'Once the debt is issued, and until it is paid or cancelled. While the bank is simulated there is a `notice`, and nobody ' +
      'can pay by it.',
    answers: { 200: { description: 'The boleto.', schema: boletoJson } },
    errors,
  },
  pdf: {
    id: 'getBoletoPdf',
    params,
    summary: 'Get a boleto as PDF',
    description: 'One page of A4, made when it is asked for.',
    answers: { 200: { description: 'The page.', text: { type: 'application/pdf', example: '%PDF-1.3' } } },
    errors,
  },
  barcode: {
    id: 'getBoletoBarcode',
    params,
    summary: 'Get the barcode of a boleto as an image',
    description: 'Interleaved 2 of 5, 103 by 13 mm and its light margin.',
    answers: { 200: { description: 'The image.', text: { type: 'image/svg+xml', example: SVG } } },
    errors,
  },
  qrCode: {
    id: 'getBoletoQrCode',
    params,
    summary: 'Get the QR code of Pix of a boleto as an image',
    description: 'Its text is the `pix_copy_paste`.',
    answers: { 200: { description: 'The image.', text: { type: 'image/svg+xml', example: SVG } } },
    errors,
  },
} satisfies Record<string, RouteDocs>;
