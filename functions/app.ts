import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { RequestMethod } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppModule } from './app.module.js';
import { API_DOCS } from './app.openapi.js';
import type { Config } from './platform/config.js';
import { BODY_LIMIT, takeOnlyJson } from './platform/http/body.js';
import { sendHeaders } from './platform/http/headers.js';
import { hideRoutes } from './platform/http/hidden.js';
import { serveOpenApi } from './platform/http/openapi.js';
import { answerNoHttp, ProblemFilter } from './platform/http/problem.filter.js';
import { limitSockets, socketTimeouts } from './platform/http/sockets.js';
import { RefuseUnknown, validationPipe } from './platform/http/validation.js';
import type { Runtime } from './platform/runtime.js';
import { createLog, logRequests, NestLog } from './platform/telemetry/log.js';
import { Metrics } from './platform/telemetry/metrics.js';
import { traceRequests } from './platform/telemetry/trace.js';

/** As long as any path that Node takes: an id that is too long is a 404, and never refused for its length. */
const MAX_PARAM_LENGTH = 16_384;

/** The app, ready to listen or to be called by a handler. Connects to nothing by itself. */
export async function createApp(config: Config, runtime: Runtime): Promise<NestFastifyApplication> {
  const log = createLog(config.logLevel);
  const problems = new ProblemFilter(log);
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // Requests that come while the app closes are answered as usual, on connections that close with the answer.
    return503OnClosing: false,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      problems.answer(error, request, reply),
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => answerNoHttp(error, socket),
    multipart: true,
    ...socketTimeouts(config.sockets),
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.for(config, runtime, log), adapter, {
    logger: new NestLog(log),
    abortOnError: false,
    bodyParser: false,
  });
  sendHeaders(adapter.getInstance());
  traceRequests(adapter.getInstance());
  logRequests(adapter.getInstance(), log, config.logLevel);
  app.get(Metrics).observe(adapter.getInstance());
  if (runtime.kind === 'server') limitSockets(adapter.getInstance(), config, runtime, app.get(Metrics).registry);
  hideRoutes(adapter.getInstance(), config);
  takeOnlyJson(adapter);
  app.setGlobalPrefix('api', { exclude: [{ path: 'metrics', method: RequestMethod.GET }] });
  app.useGlobalFilters(problems);
  app.useGlobalGuards(new RefuseUnknown());
  app.useGlobalPipes(validationPipe());
  serveOpenApi(app, API_DOCS);
  await app.init();
  return app;
}
