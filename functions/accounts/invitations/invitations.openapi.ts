import type { RouteDocs } from '../../platform/http/describe.js';
import { InvitationNotFound, TOKEN_ERRORS } from '../accounts.errors.js';
import { invitationPage, memberView } from '../accounts.schemas.js';

/** What OpenAPI says of the routes by which invitations are answered. */
export const INVITATION_ROUTES = {
  list: {
    id: 'listInvitations',
    summary: 'List your invitations',
    description:
      'To companies whose owners want you as a member. One that is not answered within seven days, or is taken ' +
      'back, is gone.',
    answers: { 200: { description: 'A page.', schema: invitationPage } },
    errors: TOKEN_ERRORS,
  },
  accept: {
    id: 'acceptInvitation',
    ids: { company_id: 'company' },
    summary: 'Accept an invitation',
    description:
      'You become a member, with the role of the invitation. A second call, or one by a member, answers the same and ' +
      'changes nothing.',
    answers: { 200: { description: 'You as a member.', schema: memberView } },
    errors: [...TOKEN_ERRORS, InvitationNotFound],
  },
  decline: {
    id: 'declineInvitation',
    ids: { company_id: 'company' },
    summary: 'Decline an invitation',
    description: 'The invitation is gone, and its company is not told.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, InvitationNotFound],
  },
} satisfies Record<string, RouteDocs>;
