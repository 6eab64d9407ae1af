import { BODY_ERRORS, type RouteDocs } from '../../platform/http/describe.js';
import {
  CompanyNotFound,
  DocumentInvalid,
  DocumentTaken,
  LastOwner,
  NotOwner,
  TOKEN_ERRORS,
  UserNotFound,
} from '../accounts.errors.js';
import { companyPage, companyView, memberPage, memberView } from '../accounts.schemas.js';

/** What OpenAPI says of the routes of companies and of their members. */
export const COMPANY_ROUTES = {
  create: {
    id: 'createCompany',
    summary: 'Create a company',
    description: 'You become its owner. The CNPJ may have letters, as new ones do since July 2026.',
    answers: { 201: { description: 'The company.', schema: companyView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, DocumentInvalid, DocumentTaken],
  },
  list: {
    id: 'listCompanies',
    summary: 'List your companies',
    description: 'Those that you are a member of.',
    answers: { 200: { description: 'A page.', schema: companyPage } },
    errors: TOKEN_ERRORS,
  },
  find: {
    id: 'getCompany',
    ids: { id: 'company' },
    summary: 'Get a company',
    description: 'One that you are a member of; any other is not found.',
    answers: { 200: { description: 'The company.', schema: companyView } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  change: {
    id: 'updateCompany',
    ids: { id: 'company' },
    summary: 'Change name or CNPJ',
    description: 'For its owners.',
    answers: { 200: { description: 'The company as it is now.', schema: companyView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, DocumentInvalid, NotOwner, CompanyNotFound, DocumentTaken],
  },
  delete: {
    id: 'deleteCompany',
    ids: { id: 'company' },
    summary: 'Delete a company',
    description: 'For its owners. Its campaigns and uploads go with it.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, NotOwner, CompanyNotFound],
  },
  members: {
    id: 'listMembers',
    ids: { id: 'company' },
    summary: 'List the members',
    description: 'The members with their roles; and the users who are invited, with `accepted_at: null`.',
    answers: { 200: { description: 'A page.', schema: memberPage } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  put: {
    id: 'putMember',
    ids: { id: 'company' },
    summary: 'Invite a user, or give a member another role',
    description:
      'For owners. The user is registered already, and is named by e-mail. Nobody becomes a member without accepting: ' +
      'a user who is not one is invited (`accepted_at: null`), for seven days. Inviting again renews the invitation, with ' +
      'the new role. The role of a member changes at once.',
    answers: { 201: { description: 'The member, or who is invited.', schema: memberView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, NotOwner, CompanyNotFound, UserNotFound, LastOwner],
  },
  remove: {
    id: 'removeMember',
    ids: { id: 'company', user_id: 'member' },
    summary: 'Remove a member, or take an invitation back',
    description: 'For owners. The last owner cannot leave; a user who is only invited is not an owner yet.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, NotOwner, CompanyNotFound, UserNotFound, LastOwner],
  },
} satisfies Record<string, RouteDocs>;
