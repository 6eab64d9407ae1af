import { BODY_ERRORS, type RouteDocs } from '../../platform/http/describe.js';
import {
  EmailTaken,
  InvalidCredentials,
  LastOwner,
  NotYourself,
  TOKEN_ERRORS,
  TooManyAttempts,
  UserNotFound,
  WrongPassword,
} from '../accounts.errors.js';
import { accessTokenView, userPage, userView } from '../accounts.schemas.js';

/** What OpenAPI says of the routes of users and of their login. */
export const USER_ROUTES = {
  register: {
    id: 'createUser',
    summary: 'Register',
    description: 'A new user, by e-mail and password. An e-mail is free again once its user is deleted.',
    answers: { 201: { description: 'The user.', schema: userView } },
    errors: [...BODY_ERRORS, EmailTaken],
  },
  logIn: {
    id: 'logIn',
    summary: 'Log in',
    description:
      'E-mail and password become an access token. After ten failures of an e-mail within a minute it is refused for a ' +
      'while, with the right password too.',
    answers: { 200: { description: 'A token.', schema: accessTokenView } },
    errors: [...BODY_ERRORS, InvalidCredentials, TooManyAttempts],
  },
  list: {
    id: 'listUsers',
    summary: 'List users',
    description: 'Yourself and those who share a company with you.',
    answers: { 200: { description: 'A page.', schema: userPage } },
    errors: TOKEN_ERRORS,
  },
  find: {
    id: 'getUser',
    ids: { id: 'user' },
    summary: 'Get a user',
    description: 'Yourself or one who shares a company with you; any other is not found.',
    answers: { 200: { description: 'The user.', schema: userView } },
    errors: [...TOKEN_ERRORS, UserNotFound],
  },
  change: {
    id: 'updateUser',
    ids: { id: 'user' },
    summary: 'Change your e-mail or password',
    description:
      'Only your own, with the current password; a wrong one counts as a failed login. A new password ends all older ' +
      'tokens at once. A new e-mail does not; it ends your open invitations, which were for the old one.',
    answers: { 200: { description: 'The user as it is now.', schema: userView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, NotYourself, WrongPassword, UserNotFound, EmailTaken, TooManyAttempts],
  },
  delete: {
    id: 'deleteUser',
    ids: { id: 'user' },
    summary: 'Delete yourself',
    description:
      'All your tokens and invitations end at once. If you are the last owner of a company, delete it or name another first.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, NotYourself, UserNotFound, LastOwner],
  },
} satisfies Record<string, RouteDocs>;
