import { CompanyNotFound, NotOwner, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import type { RouteDocs } from '../../platform/http/describe.js';
import { IspbNotBound, IspbTaken } from '../pix.errors.js';
import { boundIspb } from './participants.schemas.js';

const ids = { id: 'company', ispb: 'participant: its ISPB, eight digits' };
const OWNED = [...TOKEN_ERRORS, NotOwner, CompanyNotFound];

/** What OpenAPI says of the routes that bind an ISPB. */
export const PARTICIPANT_ROUTES = {
  bind: {
    id: 'bindPixIspb',
    ids,
    summary: 'Bind an ISPB, or get another key for it',
    description:
      'For owners. From now on its collectors need the `api_key`, which is shown once. Each call makes another one; the key ' +
      'before fits for 24 hours more, and the one before that no longer. Bound once, an ISPB is never open again, nor ever the ISPB of another company.',
    answers: { 201: { description: 'The ISPB, with a new key.', schema: boundIspb } },
    errors: [...OWNED, IspbTaken],
  },
  unbind: {
    id: 'unbindPixIspb',
    ids,
    summary: 'Unbind an ISPB',
    description:
      'For owners. Its keys fit no more, so nobody collects for it, and what waits goes on waiting. Only the same company ' +
      'binds it again.',
    answers: { 204: { description: 'Done.' } },
    errors: [...OWNED, IspbNotBound],
  },
} satisfies Record<string, RouteDocs>;
