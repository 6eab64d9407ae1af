import { TOKEN_ERRORS } from '../accounts/accounts.errors.js';
import { type RouteDocs } from '../platform/http/describe.js';
import { MediaTypeRefused, NotUtf8 } from '../platform/problem.js';
import { besideAccepting, besideReading, ContactsBusy, ContactTooLarge, InvalidJob } from './contacts.errors.js';
import { acceptedView, jobView, statsView } from './contacts.schemas.js';

const LOGIN =
  'Without a login, unless `CONTACTS_PUBLIC=false`. Every problem has a `message` next to the members of RFC 9457.';

/** What OpenAPI says of the routes of contacts. */
export const CONTACT_ROUTES = {
  add: {
    id: 'addContact',
    summary: 'Add a user, with team, projects and logs',
    description:
      `Answered when it is committed: from then on nothing is lost. The \`id\` is the key. Of several with one \`id\` the job ` +
      'that is stored first wins. The same content again is completed too; other content fails with `conflict` and ' +
      `overwrites nothing. So a request without an answer may be sent again. ${LOGIN}`,
    answers: {
      202: {
        description: 'Accepted and committed.',
        schema: acceptedView,
        headers: { Location: 'Where the job can be asked for.' },
      },
    },
    errors: [NotUtf8, ContactTooLarge, MediaTypeRefused, ContactsBusy, ...TOKEN_ERRORS],
    beside: besideAccepting,
  },
  find: {
    id: 'getContactJob',
    summary: 'Get what became of a job',
    description:
      'With `?wait=n` it is answered at the end of the job, or after n seconds with its state of then. A job only moves ' +
      `forward. It is kept for \`CONTACTS_JOBS_KEEP_S\` after its end. ${LOGIN}`,
    ids: { job: 'job' },
    answers: { 200: { description: 'The job as it is.', schema: jobView } },
    errors: [InvalidJob, ...TOKEN_ERRORS],
    beside: besideReading,
  },
  stats: {
    id: 'getContactStats',
    summary: 'Count jobs by their state',
    description: `All jobs that can still be asked for. At most a second old. ${LOGIN}`,
    answers: { 200: { description: 'The counts.', schema: statsView } },
    errors: [...TOKEN_ERRORS],
    beside: besideReading,
  },
} satisfies Record<string, RouteDocs>;
