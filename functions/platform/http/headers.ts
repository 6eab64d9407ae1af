import type { FastifyInstance } from 'fastify';

/**
 * What every answer tells a browser and every proxy on the way. Keep no copy: it may hold phone numbers or a token. It is
 * what its Content-Type says, and never a page. Tell no other site where it was found. TLS, and so HSTS, is the task of what
 * stands in front of the API.
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const PAGE = /^\/api\/docs(?:[/?]|$)/;
/** The page of the API runs scripts of this server and calls this server. Swagger UI sets styles in its elements. */
const PAGE_HEADERS = {
  ...ANSWER_HEADERS,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

/** Sets these headers before anything else can answer. */
export function sendHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(PAGE.test(request.url) ? PAGE_HEADERS : ANSWER_HEADERS);
    done();
  });
}
