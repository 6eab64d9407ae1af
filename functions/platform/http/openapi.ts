import { createRequire } from 'node:module';
// Loaded here, before SwaggerModule imports it: SwaggerModule registers the page's files when its own import is done, and
// Fastify takes no plugin once it is ready.
import '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { PROBLEM_JSON } from '../problem.js';
import { jsonSchemaOf } from './json-schema.js';
import { problemView } from './problem.schemas.js';

const PAGE = 'api/docs';
const DOCUMENT = 'api/openapi.json';
/** Where somebody begins who knows only the host. */
const ENTRANCES = ['/', '/api', '/api/'];

/** What the document says about the API as a whole. */
export interface ApiDocs {
  title: string;
  description: string;
  /** In the order in which a reader tries them. */
  tags: [name: string, description: string][];
  /** Describes the token that a login gives. */
  token: string;
  /** Describes the key that some routes take in place of a token. */
  key: string;
}

/** The OpenAPI document of all routes. */
export function openApiDocument(app: NestFastifyApplication, api: ApiDocs): OpenAPIObject {
  const problem = jsonSchemaOf(problemView, 'output');
  const builder = new DocumentBuilder()
    .setTitle(api.title)
    .setDescription(api.description)
    .setVersion('1')
    .addServer('/', 'Where this document comes from')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: api.token,
    })
    .addSecurity('key', { type: 'http', scheme: 'bearer', description: api.key })
    .addSecurityRequirements('bearer')
    .addGlobalResponse({
      status: 'default',
      description: 'Any other problem, RFC 9457.',
      content: { [PROBLEM_JSON]: { schema: problem.schema } },
    });
  for (const [name, description] of api.tags) builder.addTag(name, description);
  const about = builder.build();
  const components = { ...about.components, schemas: problem.components };
  return SwaggerModule.createDocument(
    app,
    { ...about, components },
    {
      standardSchemaConverter: (schema, { schemaType }) => jsonSchemaOf(schema as z.ZodType, schemaType),
    },
  );
}

/**
 * Serves /api/openapi.json, and its page at /api/docs where the files of the page are installed: not in a bundle. A browser
 * that opens the host is sent there.
 */
export function serveOpenApi(app: NestFastifyApplication, api: ApiDocs): void {
  const ui = hasPage();
  for (const entrance of ENTRANCES)
    app
      .getHttpAdapter()
      .getInstance()
      .get(entrance, (_: FastifyRequest, reply: FastifyReply) => reply.redirect(`/${ui ? PAGE : DOCUMENT}`));
  SwaggerModule.setup(PAGE, app, () => openApiDocument(app, api), {
    ui,
    raw: ['json'],
    jsonDocumentUrl: DOCUMENT,
    customSiteTitle: api.title,
    // No badge: it would ask a server on the internet. An operation is shown with its name, and can be linked to by it.
    swaggerOptions: { validatorUrl: null, displayOperationId: true, deepLinking: true },
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
