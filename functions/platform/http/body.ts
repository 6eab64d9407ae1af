import { type FastifyAdapter, RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MediaTypeRefused, NotUtf8, type Problem, ValidationProblem } from '../problem.js';
import { isOfUtf8 } from './charset.js';
import { cleanText, REPLACEMENT } from './text.js';

const KIB = 1_024;
/**
 * Bytes of a JSON body where its route says nothing else: the longest texts of an account, with each character escaped, are
 * 5 KiB. All of it is read before a login is asked for.
 */
export const BODY_LIMIT = 8 * KIB;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
/** What cleanText would change or refuse, as it stands in JSON. Most bodies have none, and are not walked through. */
const TO_BE_CLEANED = /\ufeff|\\(?:r|u(?:000d|feff|fffd|d[89a-f]))/i;
const HAS_NO_BODY = new Set(['GET', 'HEAD']);

declare module 'fastify' {
  interface FastifyContextConfig {
    bodyLimit?: number;
    tooLarge?: () => Problem;
  }
}

/** Lets the JSON body of a route be larger, or smaller; `tooLarge` is what it says then, where not BodyTooLarge. */
export function BodyLimit(bytes: number, tooLarge?: () => Problem): MethodDecorator {
  return RouteConfig({ bodyLimit: bytes, ...(tooLarge && { tooLarge }) }) as MethodDecorator;
}

/** JSON and, by its own plugin, multipart: everything else is 415. A client that says JSON and sends nothing sends nothing. */
export function takeOnlyJson(adapter: FastifyAdapter): void {
  const fastify: FastifyInstance = adapter.getInstance();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeContentTypeParser(['application/json', 'text/plain']);
  fastify.addHook('onRoute', (route) => {
    if (route.config?.bodyLimit !== undefined) route.bodyLimit = route.config.bodyLimit;
  });
  fastify.addHook('onRequest', async (request) => {
    if (request.is404) return;
    requireReadableQuery(request.url);
    if (!HAS_NO_BODY.has(request.method)) requireReadableBody(request);
  });
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    const isMarked = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    const text = bytes.toString('utf8', isMarked ? BYTE_ORDER_MARK.length : 0);
    // What bytes become that are no UTF-8, here or in a gateway before: kept, it would pass for the text of somebody else.
    if (text.includes(REPLACEMENT)) return done(new NotUtf8(''));
    if (text === '') return done(null, undefined);
    const clean = TO_BE_CLEANED.test(text) ? cleanBody : <T>(body: T): T => body;
    return parse(request, text, (error, body) => {
      if (error) return done(error);
      try {
        done(null, clean(body));
      } catch (refused) {
        done(refused as Error);
      }
    });
  });
}

/** Serverless offline has decoded the query before: what was no UTF-8 has become U+FFFD there. */
function requireReadableQuery(url: string): void {
  const begin = url.indexOf('?');
  if (begin < 0 || !url.includes('%', begin)) return;
  try {
    if (!decodeURIComponent(url.slice(begin + 1)).includes(REPLACEMENT)) return;
  } catch {
    // Told of below.
  }
  throw new ValidationProblem([{ path: '', message: 'the query must be percent-encoded UTF-8' }]);
}

function requireReadableBody({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity' || !isOfUtf8(headers['content-type'] ?? '')) throw new MediaTypeRefused();
}

/** Every text and key of a body, cleaned in place. A loop and no recursion: a body may be nested as deeply as it is long. */
function cleanBody(body: unknown): unknown {
  const whole: Record<string, unknown> = { '': body };
  const waiting: { holder: Record<string, unknown>; field: string }[] = [{ holder: whole, field: '' }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { holder, field } = next;
    for (const key of Object.keys(holder)) {
      const value = holder[key];
      const path = field || cleanText(key, '');
      if (field) cleanText(key, field);
      if (typeof value === 'string') holder[key] = cleanText(value, path);
      else if (typeof value === 'object' && value !== null)
        waiting.push({ holder: value as Record<string, unknown>, field: path });
    }
  }
  return whole[''];
}
