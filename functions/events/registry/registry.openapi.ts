import { CompanyNotFound, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { BODY_ERRORS, type RouteDocs } from '../../platform/http/describe.js';
import { MediaTypeRefused, NotUtf8 } from '../../platform/problem.js';
import {
  ClientNotFound,
  ClientTaken,
  SchemaInvalid,
  TooManyClients,
  TooManyTypes,
  TypeNotFound,
  VersionExists,
} from '../events.errors.js';
import { clientKeyView, clientPage, createdClientView, createdTypeView, typePage } from './registry.schemas.js';

/** What OpenAPI says of the routes of clients and types. */
export const REGISTRY_ROUTES = {
  createClient: {
    id: 'createEventClient',
    summary: 'Register a client',
    description:
      'On the queue the `client_id` alone names the company, so it is unique over all of them. That of a deleted client stays ' +
      'taken for other companies; its own may register it again, and gets a new key. The answer has its key, once.',
    answers: { 201: { description: 'The client, with its key.', schema: createdClientView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, CompanyNotFound, ClientTaken, TooManyClients],
  },
  listClients: {
    id: 'listEventClients',
    summary: 'List the clients of a company',
    description: 'The living ones, by their id. Keys are in no list.',
    answers: { 200: { description: 'A page.', schema: clientPage } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  deleteClient: {
    id: 'deleteEventClient',
    ids: { client_id: 'client' },
    summary: 'Delete a client',
    description: 'From the answer on no event of it is taken, and its keys are void. Its events stay.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, ClientNotFound],
  },
  createKey: {
    id: 'createEventClientKey',
    ids: { client_id: 'client' },
    summary: 'Make another key of a client',
    description: 'Shown once. Keys that the client had before stay valid for 24 hours more.',
    answers: { 201: { description: 'The key.', schema: clientKeyView } },
    errors: [...TOKEN_ERRORS, ClientNotFound],
  },
  createType: {
    id: 'createEventType',
    summary: 'Register a type, or its next version',
    description:
      'A version never changes. Events without a version are of the newest. Where a `schema` is not taken, `path` is a JSON ' +
      'pointer to the place.',
    answers: { 201: { description: 'Its version.', schema: createdTypeView } },
    errors: [NotUtf8, MediaTypeRefused, ...TOKEN_ERRORS, SchemaInvalid, CompanyNotFound, VersionExists, TooManyTypes],
  },
  listTypes: {
    id: 'listEventTypes',
    summary: 'List the types of a company',
    description: 'Each version that is taken, by name and version.',
    answers: { 200: { description: 'A page.', schema: typePage } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  deleteType: {
    id: 'deleteEventType',
    ids: { name: 'type, its name' },
    summary: 'Delete a type',
    description: 'All its versions. Its events stay. Registered again, it goes on with the next version.',
    answers: { 204: { description: 'Done.' } },
    errors: [...TOKEN_ERRORS, CompanyNotFound, TypeNotFound],
  },
} satisfies Record<string, RouteDocs>;
