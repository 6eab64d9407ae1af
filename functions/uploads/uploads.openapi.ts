import { CompanyNotFound, TOKEN_ERRORS } from '../accounts/accounts.errors.js';
import { FileEmpty, FileTooLarge } from '../campaigns/campaigns.errors.js';
import { BODY_ERRORS, linkTo, problemList, type RouteDocs } from '../platform/http/describe.js';
import { sampleOf } from '../platform/problem.js';
import { FileIsNotText, PhoneColumnUnknown } from '../recipients/recipients.errors.js';
import {
  SizeMismatch,
  UploadExpired,
  UploadNotFound,
  UploadsNotConfigured,
  UploadUnreadable,
  UploadUsedTwice,
} from './uploads.errors.js';
import { createdUploadView, uploadView } from './uploads.schemas.js';

/** The errors that an upload may show in `problem`. */
const UPLOAD_PROBLEMS = [
  FileEmpty,
  FileIsNotText,
  PhoneColumnUnknown,
  FileTooLarge,
  CompanyNotFound,
  SizeMismatch,
  UploadExpired,
  UploadUnreadable,
  UploadUsedTwice,
];

/** What OpenAPI says of the routes of uploads. */
export const UPLOAD_ROUTES = {
  create: {
    id: 'createUpload',
    summary: 'Ask for a URL for a large file',
    description:
      'Answers where to send the file: one `PUT` within the hour, with nothing but its `Content-Length`, as in ' +
      '`curl -T numbers.txt "$URL"`. Seconds later the file is a campaign, or refused.',
    answers: { 201: { description: 'Where to send the file.', schema: createdUploadView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, FileEmpty, CompanyNotFound, FileTooLarge, UploadsNotConfigured],
  },
  find: {
    id: 'getUpload',
    ids: { id: 'upload' },
    summary: 'Get an upload',
    description:
      'Ask again until it is `aceito` or `recusado`. A file is accepted or refused whole, once. Of a file of debts ' +
      `${linkTo('billing', 'createDebtsUpload')} has further problems.`,
    answers: {
      200: {
        description: `The upload as it is now. Its \`problem\` is one of:\n\n${problemList(UPLOAD_PROBLEMS.map(sampleOf))}`,
        schema: uploadView,
      },
    },
    errors: [...TOKEN_ERRORS, UploadNotFound],
  },
} satisfies Record<string, RouteDocs>;
