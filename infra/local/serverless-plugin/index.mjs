// What serverless-offline adds around the API, and API Gateway does not: hapi refuses bodies over 10 MiB, paths that it cannot
// decode and headers over 16 KiB in words of its own or in none, and serverless-offline lets every other site read every answer.
// With this plugin the API itself says what is too large, hapi's refusals are problems (RFC 9457) like every other, and no
// answer has a CORS header. It patches the hapi that serverless-offline uses, in this process only.
// And what runs here is tsc's output: serverless-offline would unpack the zips of `npm run package`, be they there or old.
import { STATUS_CODES } from 'node:http';
import { createRequire } from 'node:module';

const PROBLEM_JSON = 'application/problem+json';
/** As functions/platform/http/headers.ts has them. */
const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
/** Well above what the API takes under a handler (9 MiB of file, 10 MiB of JSON), so that its own limit is the one met. */
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

/** hapi's refusal as a problem. It writes none of these inside the API's own answers, which are no boom. */
function toProblem(request, h) {
  const { response } = request;
  if (!response.isBoom) return h.continue;
  const { statusCode, headers } = response.output;
  const body = problem(statusCode, explanation(statusCode, request.raw.req));
  const answer = h.response(body).code(statusCode).type(PROBLEM_JSON);
  for (const [name, value] of Object.entries({ ...headers, ...ANSWER_HEADERS })) answer.header(name, String(value));
  return answer;
}

function problem(status, { detail, code }) {
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, code });
}

function explanation(statusCode, { url, headers }) {
  if (statusCode === 413 && url.split('?')[0] === '/api/campaigns') {
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

/** What is no request, or one with too much before its body, as `answerNoHttp` of functions/platform/http answers it. */
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
      },
    };
    const { ext, route, start } = servers;
    // serverless-offline has no other use for this event than to write CORS headers, asked for or not.
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
