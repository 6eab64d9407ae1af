import type { RouteDocs } from '../../platform/http/describe.js';
import { InvitationNotFound, TOKEN_ERRORS } from '../accounts.errors.js';
import { invitationPage, memberView } from '../accounts.schemas.js';

/** What OpenAPI says of the routes by which invitations are answered. */
export const INVITATION_ROUTES = {
  list: {
    id: 'listInvitations',
    summary: 'List your invitations',
    description:
      'To companies whose owners want you as a member. One that is not answered within seven days is gone, as is one that ' +
      'was taken back.',
    answers: { 200: { description: 'A page.', schema: invitationPage } },
    errors: TOKEN_ERRORS,
  },
  accept: {
    id: 'acceptInvitation',
    ids: { company_id: 'company' },
    summary: 'Accept an invitation',
    description:
      'From here on you are a member, as what the invitation says. Once more, or as a member: answers the same and changes ' +
      'nothing.',
    answers: { 200: { description: 'You as a member.', schema: memberView } },
    errors: [...TOKEN_ERRORS, InvitationNotFound],
  },
  decline: {
    id: 'declineInvitation',
    ids: { company_id: 'company' },
    summary: 'Decline an invitation',
    description: 'It is gone, and its company is not told.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, InvitationNotFound],
  },
} satisfies Record<string, RouteDocs>;
