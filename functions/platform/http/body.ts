import { type FastifyAdapter, RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MediaTypeRefused, NotUtf8, type Problem, ValidationProblem } from '../problem.js';
import { isOfUtf8 } from './charset.js';
import { cleanText, REPLACEMENT } from './text.js';

const KIB = 1_024;
/**
 * Bytes of a JSON body, unless its route says otherwise. The longest texts of an account, with each character escaped, are
 * 5 KiB. The whole body is read before a login is asked for.
 */
export const BODY_LIMIT = 8 * KIB;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
/** Matches what cleanText would change or refuse, as JSON writes it. Most bodies have none and are not walked through. */
const TO_BE_CLEANED = /\ufeff|\\(?:r|u(?:000d|feff|fffd|d[89a-f]))/i;
const JSON_TYPE = 'application/json';
const HAS_NO_BODY = new Set(['GET', 'HEAD']);

/** Gives a route its own limit for JSON bodies. `tooLarge` makes the problem of a longer one, in place of BodyTooLarge. */
export function BodyLimit(bytes: number, tooLarge?: () => Problem): MethodDecorator {
  return RouteConfig({ bodyLimit: bytes, ...(tooLarge && { tooLarge }) }) as MethodDecorator;
}

/** Takes JSON and, by its own plugin, multipart; everything else is 415. An empty JSON body counts as no body. */
export function takeOnlyJson(adapter: FastifyAdapter): void {
  const fastify: FastifyInstance = adapter.getInstance();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeContentTypeParser(['application/json', 'text/plain']);
  fastify.addHook('onRoute', (route) => {
    if (route.config?.bodyLimit !== undefined) route.bodyLimit = route.config.bodyLimit;
  });
  fastify.addHook('onRequest', (request, _, done) => {
    if (!request.is404) {
      requireReadableQuery(request.url);
      if (!HAS_NO_BODY.has(request.method)) requireReadableBody(request);
    }
    done();
  });
  // The structured mode of CloudEvents has a type of its own, which a route that decodes its body itself takes, too.
  const types = [JSON_TYPE, 'application/cloudevents+json'];
  fastify.addContentTypeParser(types, { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    if (request.routeOptions.config.raw) return done(null, bytes);
    if (!request.headers['content-type']?.toLowerCase().startsWith(JSON_TYPE)) return done(new MediaTypeRefused());
    const isMarked = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    const text = bytes.toString('utf8', isMarked ? BYTE_ORDER_MARK.length : 0);
    // Bytes that are not UTF-8 become U+FFFD, here or in a gateway before. Kept, they could pass for somebody else's text.
    if (text.includes(REPLACEMENT)) return done(new NotUtf8(''));
    if (text === '') return done(null, undefined);
    const isClean = request.routeOptions.config.asGiven || !TO_BE_CLEANED.test(text);
    const clean = isClean ? <T>(body: T): T => body : cleanBody;
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

/** Serverless offline has decoded the query before: bytes that were not UTF-8 are U+FFFD by now. */
function requireReadableQuery(url: string): void {
  const begin = url.indexOf('?');
  if (begin < 0 || !url.includes('%', begin)) return;
  try {
    if (!decodeURIComponent(url.slice(begin + 1)).includes(REPLACEMENT)) return;
  } catch {
    // Refused below.
  }
  throw new ValidationProblem([{ path: '', message: 'the query must be percent-encoded UTF-8' }]);
}

function requireReadableBody({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity' || !isOfUtf8(headers['content-type'] ?? '')) throw new MediaTypeRefused();
}

/**
 * Cleans every text of a parsed body in place, and checks its keys. Throws NotUtf8, ValidationProblem. A loop, not a recursion: a
 * body may be nested very deeply.
 */
export function cleanBody(body: unknown): unknown {
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
