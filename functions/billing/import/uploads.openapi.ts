import { CompanyNotFound, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { BODY_ERRORS, linkTo, problemList, type RouteDocs } from '../../platform/http/describe.js';
import { sampleOf } from '../../platform/problem.js';
import { UploadsNotConfigured } from '../../uploads/uploads.errors.js';
import { createdUploadView } from '../../uploads/uploads.schemas.js';
import { FileEmpty, FileNotText, FileTooLarge, HeaderInvalid, TooManyRejects } from '../billing.errors.js';

/** Why a file of debts is refused once it is read, next to what any upload is refused for. */
const REFUSALS = [FileEmpty, HeaderInvalid, FileNotText, TooManyRejects, FileTooLarge];

/** What OpenAPI says of uploads of files of debts. */
export const DEBTS_UPLOAD_ROUTES = {
  create: {
    id: 'createDebtsUpload',
    summary: 'Ask for a URL for a large file of debts',
    description:
      'Answers where to send the file: one `PUT` within the hour, with nothing but its `Content-Length`, as in ' +
      `\`curl -T debts.csv "$URL"\`. Seconds later it is an import, or refused: ${linkTo('uploads', 'getUpload')} tells, ` +
      'with its `import_id`. Its `problem` may also be one of:\n\n' +
      problemList(REFUSALS.map(sampleOf)),
    answers: { 201: { description: 'Where to send the file.', schema: createdUploadView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, CompanyNotFound, FileEmpty, FileTooLarge, UploadsNotConfigured],
  },
} satisfies Record<string, RouteDocs>;
