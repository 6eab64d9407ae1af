import type { Folder } from './step.js';
import { STRANGERS_BEGIN } from './strangers.js';

/** The name of the first request. */
export const UPLOADS_BEGIN = 'Ask for a URL';

/** The steps of an upload. `file` is the text that is sent. */
export function uploads(file: string): Folder {
  return {
    name: '8 A large file by URL',
    description:
      'For files that are too large for a request. It needs an object store: `npm start` has one, and where there is ' +
      'none the folder is passed over.',
    steps: [
      {
        name: UPLOADS_BEGIN,
        ask: 'createUpload',
        json: { company_id: '{{company_id}}', allow_duplicates: undefined, size: Buffer.byteLength(file) },
        status: 201,
        otherwise: {
          status: 503,
          code: 'UPLOAD.NOT_CONFIGURED',
          why: 'there is no object store here: the rest of the folder is passed over',
          goTo: STRANGERS_BEGIN,
        },
        keep: { upload_id: 'body.id', upload_url: 'body.url' },
      },
      {
        name: 'Send the file',
        ask: {
          method: 'PUT',
          url: '{{upload_url}}',
          description:
            'Goes to the object store and not to the API: the URL is signed, for a file of exactly that size. For one of ' +
            'your own: Body, *binary*, and its bytes as `size` of the request before.',
          text: file,
        },
        as: 'nobody',
        status: 200,
      },
      {
        name: 'Wait until the upload is a campaign',
        ask: 'getUpload',
        note: 'In a run of the collection it is asked again, each half second, for a minute and a half at most.',
        path: { id: '{{upload_id}}' },
        status: 200,
        poll: { until: "body.status !== 'esperando' && body.status !== 'recebendo'", tries: 180, everyMs: 500 },
        tests: {
          'it is aceito': "pm.expect(body.status).to.equal('aceito')",
          'all five numbers are accepted': 'pm.expect([body.file.lines, body.file.accepted]).to.eql([5, 5])',
        },
      },
    ],
  };
}
