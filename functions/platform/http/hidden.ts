import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';
import { NotFound } from '../problem.js';

/**
 * Answers 404 on routes that this configuration hides, as if there were none. Called before all that looks at a request: its
 * query and its body say nothing of a route that is not there.
 */
export function hideRoutes(fastify: FastifyInstance, config: Config): void {
  fastify.addHook('onRequest', (request, _, done) => {
    if (request.routeOptions.config.isHidden?.(config)) throw new NotFound();
    done();
  });
}
