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
  found: {
    id: 'createCompany',
    summary: 'Found a company',
    description: 'You are its owner. The CNPJ may be alphanumeric, as they are given out since July 2026.',
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
    description: 'Who is in the company, and as what; and who is invited to it, with `accepted_at: null`.',
    answers: { 200: { description: 'A page.', schema: memberPage } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  put: {
    id: 'putMember',
    ids: { id: 'company' },
    summary: 'Invite a user, or give a member another role',
    description:
      'For owners. The user is registered already, and is named by e-mail. Nobody becomes a member before accepting: who ' +
      'is none is invited (`accepted_at: null`), for seven days. Inviting again renews the invitation, with the role of now. ' +
      'Of a member the role changes at once.',
    answers: { 201: { description: 'The member, or who is invited.', schema: memberView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, NotOwner, CompanyNotFound, UserNotFound, LastOwner],
  },
  remove: {
    id: 'removeMember',
    ids: { id: 'company', user_id: 'member' },
    summary: 'Let a member go, or take an invitation back',
    description: 'For owners. The last owner cannot leave; one who is only invited is no owner yet.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, NotOwner, CompanyNotFound, UserNotFound, LastOwner],
  },
} satisfies Record<string, RouteDocs>;
