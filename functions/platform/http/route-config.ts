import type { Config } from '../config.js';
import type { Problem } from '../problem.js';

declare module 'fastify' {
  /**
   * What a route may say of itself in `@RouteConfig` of @nestjs/platform-fastify, which does not check it: add
   * `satisfies FastifyContextConfig`. It holds for refusals before the controller, too. A route has one `@RouteConfig`
   * only, and `@BodyLimit` is one.
   */
  interface FastifyContextConfig {
    /** Bytes of a JSON body, in place of BODY_LIMIT. */
    bodyLimit?: number;
    /** Makes the problem of a body over the limit, in place of BodyTooLarge. */
    tooLarge?: () => Problem;
    /** The texts of a JSON body are kept as given: byte order marks, CRLF and an escaped U+FFFD, too. Schemas judge them. */
    asGiven?: boolean;
    /** The controller gets the bytes of a JSON body as they came, a Buffer, and decodes them itself. */
    raw?: boolean;
    /** Members that stand in the body of every problem of this route, next to those of the problem itself. */
    beside?: (problem: Problem) => Record<string, unknown>;
    /**
     * For a route with thousands of requests a second: answers below 500, and each 503, are logged at level debug. Its
     * module says when stores fail or when it refuses, once for all.
     */
    quiet?: boolean;
    /** Whether there is no such route in this configuration: 404 before anything of a request is looked at. */
    isHidden?: (config: Config) => boolean;
  }
}
