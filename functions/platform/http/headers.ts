import type { FastifyInstance } from 'fastify';

/**
 * What every answer tells a browser and whatever stands between: keep no copy, as it may hold phone numbers or a token; it is
 * what its Content-Type says and no page; and it tells no other site where it was found. TLS, and so HSTS, is the business of
 * what stands in front.
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const PAGE = /^\/api\/docs(?:[/?]|$)/;
/** The page of the API runs the scripts of this server and asks this server; Swagger UI sets styles in its elements. */
const PAGE_HEADERS = {
  ...ANSWER_HEADERS,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

/** Sets them before anything else can answer. */
export function sendHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', async (request, reply) => {
    reply.headers(PAGE.test(request.url) ? PAGE_HEADERS : ANSWER_HEADERS);
  });
}
