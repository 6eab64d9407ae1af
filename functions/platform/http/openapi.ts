import { createRequire } from 'node:module';
// Loaded before SwaggerModule asks for it: it registers the page's files whenever that import is done, and Fastify takes
// no plugin once it is ready.
import '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { NotFound, PROBLEM_JSON } from '../problem.js';
import { linkTo, problemList } from './describe.js';
import { jsonSchemaOf } from './json-schema.js';
import { problemView } from './problem.schemas.js';

const PAGE = 'api/docs';
const DOCUMENT = 'api/openapi.json';
/** Where somebody begins who knows the host only. */
const ENTRANCES = ['/', '/api', '/api/'];

/** In the order in which one tries them. */
const TAGS: [name: string, description: string][] = [
  ['operating', 'Is it up, and what does it do? No login.'],
  ['users', 'Register, log in, see yourself and those who share a company with you.'],
  ['companies', 'The tenants: nobody sees what is of a company that they are not in, and nobody is in one unasked.'],
  ['campaigns', 'A text and numbers, which become messages, one a number, in order.'],
  ['uploads', 'Files that are too large for a request: one PUT to a URL, and they become campaigns.'],
];

const LOG_IN = linkTo('users', 'logIn');

const ABOUT = `Campaigns of messages: a file of phone numbers becomes exactly one message a number, in order.

**To try it here**: ${linkTo('users', 'createUser')}, ${LOG_IN}, copy the \`access_token\` into *Authorize*,
${linkTo('companies', 'createCompany')}, and ${linkTo('campaigns', 'createCampaign')} with its \`id\`.

Every error, from every layer, is \`application/problem+json\` (RFC 9457) with a stable \`code\`, of which each route lists
its own. An address that is no route is 404:

${problemList([new NotFound()])}`;

/** The OpenAPI document of all routes. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const problem = jsonSchemaOf(problemView, 'output');
  const builder = new DocumentBuilder()
    .setTitle('Disparo')
    .setDescription(ABOUT)
    .setVersion('1')
    .addServer('/', 'Where this document comes from')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: `The \`access_token\` of ${LOG_IN}.`,
    })
    .addSecurityRequirements('bearer')
    .addGlobalResponse({
      status: 'default',
      description: 'Any other problem, RFC 9457.',
      content: { [PROBLEM_JSON]: { schema: problem.schema } },
    });
  for (const [name, description] of TAGS) builder.addTag(name, description);
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
 * /api/openapi.json, and its page at /api/docs where the files of that page can be had: not in a bundle. Whoever opens the
 * host in a browser is led there.
 */
export function serveOpenApi(app: NestFastifyApplication): void {
  const ui = hasPage();
  for (const entrance of ENTRANCES)
    app
      .getHttpAdapter()
      .getInstance()
      .get(entrance, (_: FastifyRequest, reply: FastifyReply) => reply.redirect(`/${ui ? PAGE : DOCUMENT}`));
  SwaggerModule.setup(PAGE, app, () => openApiDocument(app), {
    ui,
    raw: ['json'],
    jsonDocumentUrl: DOCUMENT,
    customSiteTitle: 'Disparo',
    // No badge, which asks a server on the internet. An operation is shown with its name, and can be linked to by it.
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
