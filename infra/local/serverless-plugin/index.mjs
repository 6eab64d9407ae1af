// What serverless-offline adds around the API, and API Gateway does not: hapi refuses bodies over 10 MiB and paths that it
// cannot decode, in words of its own. With this plugin the API itself says what is too large, and hapi's refusals are
// problems (RFC 9457) like every other. It patches the hapi that serverless-offline uses, in this process only.
// And what runs here is tsc's output: serverless-offline would unpack the zips of `npm run package`, be they there or old.
import { STATUS_CODES } from 'node:http';
import { createRequire } from 'node:module';

const PROBLEM_JSON = 'application/problem+json';
/** Well above what the API takes under a handler (9 MiB of file, 10 MiB of JSON), so that its own limit is the one met. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const CODES = new Map([
  [400, 'VALIDATION'],
  [404, 'NOT_FOUND'],
  [413, 'CAMPAIGN.FILE_TOO_LARGE'],
  [415, 'VALIDATION'],
  [503, 'SERVICE_UNAVAILABLE'],
]);

const require = createRequire(createRequire(import.meta.url).resolve('serverless-offline'));
/** hapi does not export the class of its servers; every server has it. */
const servers = Object.getPrototypeOf(require('@hapi/hapi').server());

function liftLimit(route) {
  const payload = route?.options?.payload;
  if (payload?.maxBytes !== undefined) payload.maxBytes = MAX_BODY_BYTES;
  return route;
}

/** hapi's refusal as a problem. It writes none of these inside the API's own answers, which are no boom. */
function toProblem(request, h) {
  const { response } = request;
  if (!response.isBoom) return h.continue;
  const { statusCode, headers } = response.output;
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[statusCode],
    status: statusCode,
    ...explanation(statusCode, request.raw.req),
  };
  const answer = h.response(JSON.stringify(body)).code(statusCode).type(PROBLEM_JSON);
  for (const [name, value] of Object.entries(headers)) answer.header(name, String(value));
  return answer;
}

function explanation(statusCode, { url, headers }) {
  if (statusCode === 413 && headers['content-type']?.startsWith('multipart/form-data'))
    return { detail: 'The file is larger than 9 MiB.', code: 'CAMPAIGN.FILE_TOO_LARGE' };
  if (statusCode === 400 && !isDecodable(url))
    return { detail: 'the path is not percent-encoded UTF-8', code: 'VALIDATION' };
  const code = CODES.get(statusCode) ?? (statusCode >= 500 ? 'INTERNAL' : 'VALIDATION');
  return { detail: `serverless offline refused the request: ${STATUS_CODES[statusCode].toLowerCase()}`, code };
}

function isDecodable(url) {
  try {
    decodeURIComponent(url.split('?')[0]);
    return true;
  } catch {
    return false;
  }
}

export default class OfflineOnly {
  constructor({ service }) {
    this.hooks = {
      'before:offline:start:init': () => {
        for (const each of Object.values(service.functions)) delete each.package;
      },
    };
    const { route, start } = servers;
    servers.route = function (routes) {
      return route.call(this, Array.isArray(routes) ? routes.map(liftLimit) : liftLimit(routes));
    };
    servers.start = function () {
      this.ext('onPreResponse', toProblem);
      return start.call(this);
    };
  }
}
