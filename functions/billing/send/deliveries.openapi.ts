import { CompanyNotFound, NotOwner, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { BODY_ERRORS, linkTo, type RouteDocs } from '../../platform/http/describe.js';
import {
  DebtClosed,
  DebtNotFound,
  DeliveryNotFound,
  DeliveryNotHeld,
  DeliveryOpen,
  DeliveryTooYoung,
  NotIssued,
} from '../billing.errors.js';
import { deliveryView } from '../read/debts.schemas.js';

const debt_id = 'The id of the debt in its file, a UUID in either letter case.';
const OF_DEBT = [...TOKEN_ERRORS, CompanyNotFound, DebtNotFound];

/** What OpenAPI says of the routes of a debt's mails. */
export const DELIVERY_ROUTES = {
  resend: {
    id: 'resendDebt',
    params: { debt_id },
    summary: 'Send the boleto of a debt by mail again',
    description:
      'For members: of a debt whose mail was sent and is lost, or was refused. It is one more mail, so the debtor may have two. ' +
      `While one is open there is no other: one that is \`desconhecida\` is settled by ${linkTo('billing', 'resolveDebtDelivery')}. ` +
      'A debt that had failed is `gerada` again.',
    answers: { 202: { description: 'The new mail, which is sent soon.', schema: deliveryView } },
    errors: [...OF_DEBT, DebtClosed, NotIssued, DeliveryOpen],
  },
  resolve: {
    id: 'resolveDebtDelivery',
    params: { debt_id, number: 'The number of the mail among those of the debt, from 1.' },
    summary: 'Say whether a mail was sent',
    description:
      'For owners: of a mail that is `desconhecida`, as its connection broke when all of it was handed over. Ask the debtor, or look ' +
      'into the log of the mail server for its Message-ID. `enviada` ends it. After `nao_enviada` the same mail goes out again, ' +
      'unless the debt was paid or cancelled: then it is `dispensada`. That can be said from ten minutes after it began.',
    answers: { 200: { description: 'The mail as it is now.', schema: deliveryView } },
    errors: [...BODY_ERRORS, ...OF_DEBT, NotOwner, DeliveryNotFound, DeliveryNotHeld, DeliveryTooYoung],
  },
} satisfies Record<string, RouteDocs>;
