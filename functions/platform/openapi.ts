import { createRequire } from 'node:module';
// Loaded before SwaggerModule asks for it: it registers the page's files whenever that import is done, and Fastify takes
// no plugin once it is ready.
import '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { PROBLEM_JSON } from './problem.js';

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'Stable: what a program may rely on.', example: 'VALIDATION' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

/** The OpenAPI document of all routes. Whatever is not listed at a route is a problem, RFC 9457. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const about = new DocumentBuilder()
    .setTitle('Disparo')
    .setDescription('Campaigns of messages: a file of phone numbers becomes exactly one message a number, in order.')
    .setVersion('1')
    .addBearerAuth()
    .addSecurityRequirements('bearer')
    .addGlobalResponse({
      status: 'default',
      description: 'A problem, RFC 9457.',
      content: { [PROBLEM_JSON]: { schema: PROBLEM } },
    })
    .build();
  return SwaggerModule.createDocument(app, about);
}

/** /api/openapi.json, and its page at /api/docs where the files of that page can be had: not in a bundle. */
export function serveOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('api/docs', app, () => openApiDocument(app), {
    ui: hasPage(),
    raw: ['json'],
    jsonDocumentUrl: 'api/openapi.json',
  });
}

function hasPage(): boolean {
  try {
    createRequire(import.meta.url).resolve('swagger-ui-dist/absolute-path.js');
    return true;
  } catch {
    return false;
  }
}
