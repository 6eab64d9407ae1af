// Removes what serverless-offline adds around the API and API Gateway does not. hapi refuses bodies over 10 MiB, paths that
// it cannot decode and headers over 16 KiB with texts of its own or none. serverless-offline lets every other site read
// every answer. With this plugin the API itself says what is too large, hapi's refusals are problems (RFC 9457) like all
// others, and no answer has a CORS header. It patches the hapi that serverless-offline uses, in this process only.
// It also makes the bundles of `npm run build` run, with stacks that name the source: serverless-offline would unpack the zips of
// `npm run package`, even if missing or old.
import { STATUS_CODES } from 'node:http';
import { createRequire } from 'node:module';

const PROBLEM_JSON = 'application/problem+json';
/** The same as in functions/platform/http/headers.ts. */
const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
/** Well above the API's own limits in a function (9 MiB of file, 10 MiB of JSON), so that those apply first. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const CODES = new Map([
  [400, 'VALIDATION'],
  [404, 'NOT_FOUND'],
  [413, 'BODY.TOO_LARGE'],
  [415, 'VALIDATION'],
  [503, 'SERVICE_UNAVAILABLE'],
]);
/** How long a client that is refused its headers may go on sending. */
const READ_HEADERS_MS = 5_000;

const require = createRequire(createRequire(import.meta.url).resolve('serverless-offline'));
/** hapi does not export the class of its servers; every server has it. */
const servers = Object.getPrototypeOf(require('@hapi/hapi').server());

function changed(route) {
  const payload = route?.options?.payload;
  if (payload?.maxBytes !== undefined) payload.maxBytes = MAX_BODY_BYTES;
  return route;
}

/** Turns hapi's refusal into a problem. The API's own answers are no boom and stay as they are. */
function toProblem(request, h) {
  const { response } = request;
  if (!response.isBoom) return h.continue;
  const { statusCode, headers } = response.output;
  const body = problem(statusCode, explanation(statusCode, request.raw.req));
  const answer = h.response(body).code(statusCode).type(PROBLEM_JSON);
  for (const [name, value] of Object.entries({ ...headers, ...ANSWER_HEADERS })) answer.header(name, String(value));
  return answer;
}

function problem(status, explained) {
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, ...explained });
}

function explanation(statusCode, { url, headers }) {
  const path = url.split('?')[0];
  if (statusCode === 413 && path === '/api/user')
    return { detail: 'the body is over the limit of 256 KiB', code: 'CONTACT.TOO_LARGE', message: 'Dados inválidos' };
  if (statusCode === 413 && /^\/api\/events(\/quarantine\/\d+\/replay)?$/.test(path))
    return { detail: 'the body is over the limit of 4 MiB', code: 'EVENT.TOO_LARGE' };
  if (statusCode === 413 && path === '/api/campaigns') {
    const limitMib = headers['content-type']?.startsWith('multipart/form-data') ? 9 : 10;
    return { detail: `the file is over the limit of ${limitMib} MiB`, code: 'CAMPAIGN.FILE_TOO_LARGE' };
  }
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

/** Answers what is no HTTP request, or has too long headers, as `answerNoHttp` of functions/platform/http does. */
function answerNoHttp(error, socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'the path and the headers are over the limit of 16 KiB']
      : [400, 'this is not a request of HTTP/1.1'];
  const body = problem(status, { detail, code: 'VALIDATION' });
  const headers = {
    'Content-Type': PROBLEM_JSON,
    'Content-Length': body.length,
    Connection: 'close',
    ...ANSWER_HEADERS,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.removeAllListeners('data').resume();
  setTimeout(() => socket.destroy(), READ_HEADERS_MS).unref();
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

export default class OfflineOnly {
  constructor({ service }) {
    this.hooks = {
      'before:offline:start:init': () => {
        for (const each of Object.values(service.functions)) delete each.package;
        process.setSourceMapsEnabled(true);
      },
    };
    const { ext, route, start } = servers;
    // serverless-offline uses this event only to write CORS headers, which it does in any case.
    servers.ext = function (event, ...rest) {
      if (event !== 'onPreResponse') ext.call(this, event, ...rest);
    };
    servers.route = function (routes) {
      return route.call(this, Array.isArray(routes) ? routes.map(changed) : changed(routes));
    };
    servers.start = function () {
      ext.call(this, 'onPreResponse', toProblem);
      this.listener.removeAllListeners('clientError').on('clientError', answerNoHttp);
      return start.call(this);
    };
  }
}
