import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findRoot } from '@disparo/contract';
import { compileErrors, validate } from '@readme/openapi-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';
import { Problem, type ProblemClass, sampleOf } from '../platform/problem.js';

interface Schema {
  $ref?: string;
  type?: string;
  description?: string;
  example?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  allOf?: Schema[];
}

interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security?: object[];
  parameters: { name: string; description?: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<
    string,
    { description: string; content?: Record<string, { schema?: Schema; examples?: Record<string, object> }> }
  >;
}

interface Document {
  info: { description: string };
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const PROBLEM = 'application/problem+json';
const FUNCTIONS = join(findRoot() ?? '.', 'functions');

let stage: ApiStage;
let document: Document;
let operations: [route: string, operation: Operation][];

beforeAll(async () => {
  stage = await ApiStage.open();
  document = (await stage.api<Document>('GET', '/api/openapi.json')).body;
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );
});

afterAll(() => stage?.close());

test('the document is valid OpenAPI', async () => {
  const result = await validate(structuredClone(document) as never);
  expect(result.valid ? '' : compileErrors(result)).toBe('');
});

test('every operation has its own name, a summary, a description and a tag, in order', () => {
  const ids = operations.map(([, { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^[a-z]+([A-Z][a-z]+)*$/.test(id))).toEqual([]);
  expect(operations.filter(([, { summary, description }]) => !summary || !description)).toEqual([]);
  const names = document.tags.map(({ name }) => name);
  expect(names).toEqual([
    'operating',
    'users',
    'companies',
    'campaigns',
    'uploads',
    'contacts',
    'events',
    'webhooks',
    'pix',
    'billing',
  ]);
  expect(operations.filter(([, { tags }]) => tags.length !== 1 || !names.includes(tags[0] ?? ''))).toEqual([]);
});

test('every parameter, answer, schema and property is described', () => {
  const silent: string[] = [];
  const look = (where: string, schema: Schema): void => {
    if (schema.$ref) return;
    if (!schema.description && !schema.allOf) silent.push(where);
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (!property.description && !property.$ref) silent.push(`${where}.${name}`);
      look(`${where}.${name}`, property);
    }
    if (schema.items?.properties) look(`${where}[]`, { description: 'items', ...schema.items });
  };
  for (const [name, schema] of Object.entries(document.components.schemas)) look(name, schema);
  for (const [route, { parameters, requestBody, responses }] of operations) {
    for (const { name, description } of parameters) if (!description) silent.push(`${route} ${name}`);
    for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) look(`${route} ${type}`, schema);
    for (const [status, { description }] of Object.entries(responses))
      if (!description) silent.push(`${route} ${status}`);
  }
  expect(silent).toEqual([]);
});

describe('a form and JSON of POST /api/campaigns', () => {
  const bodyOf = (type: string) => document.paths['/api/campaigns']?.post?.requestBody?.content[type]?.schema;

  test('have schemas of their own: a binary file, or an array of numbers', () => {
    const form = bodyOf('multipart/form-data')?.properties ?? {};
    const json = bodyOf('application/json')?.properties ?? {};
    expect([Object.keys(form), Object.keys(json)]).toEqual([
      ['name', 'message', 'company_id', 'allow_duplicates', 'phone_column', 'file'],
      ['name', 'message', 'company_id', 'allow_duplicates', 'phone_column', 'phone_numbers'],
    ]);
    expect(form.file).toMatchObject({ type: 'string', format: 'binary' });
    expect(json.phone_numbers).toMatchObject({ type: 'array', items: { type: 'string' } });
    expect([form.allow_duplicates?.type, json.allow_duplicates?.type]).toEqual(['string', 'boolean']);
  });
});

/** The example that a page like Swagger UI makes of a body's properties. */
function exampleOf({ properties = {} }: Schema): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, { example }]) => [name, example]));
}

test('the examples of the bodies work, one after the other', async () => {
  const post = (path: string, more: object = {}, token?: string) => {
    const schema = document.paths[path]?.post?.requestBody?.content['application/json']?.schema ?? {};
    return stage.api<{ id: string; access_token: string }>('POST', path, {
      token,
      body: { ...exampleOf(schema), ...more },
    });
  };
  expect((await post('/api/user')).status).toBe(202);
  expect((await post('/api/users')).status).toBe(201);
  const { access_token: token } = (await post('/api/auth/login')).body;
  const company = await post('/api/companies', {}, token);
  expect(company.status).toBe(201);
  const bia = await stage.user({ email: 'bia@example.com' });
  const members = `/api/companies/${company.body.id}/members`;
  const member = exampleOf(
    document.paths['/api/companies/{id}/members']?.post?.requestBody?.content['application/json']?.schema ?? {},
  );
  expect(await stage.api('POST', members, { token, body: member })).toMatchObject({
    status: 201,
    body: { user_id: bia.id },
  });
  const campaign = await post('/api/campaigns', { company_id: company.body.id }, token);
  expect([campaign.status, campaign.body]).toEqual([
    201,
    expect.objectContaining({
      file: {
        lines: 3,
        accepted: 3,
        duplicate: 0,
        invalid: 0,
        blank: 0,
        phone_column: 1,
        rejects_kept: 0,
        rejects: [],
      },
    }),
  ]);
});

describe('refusals', () => {
  /** Every class of errors that there is, by its name. */
  async function errorClasses(): Promise<[name: string, code: string, detail: string][]> {
    const files = readdirSync(FUNCTIONS, { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.errors.ts') || file === join('platform', 'problem.ts'),
    );
    const found: [string, string, string][] = [];
    for (const file of files)
      for (const exported of Object.values(
        await import(/* @vite-ignore */ pathToFileURL(join(FUNCTIONS, file)).href),
      )) {
        if (typeof exported !== 'function' || !(exported.prototype instanceof Error) || exported === Problem) continue;
        const { code, message } = sampleOf(exported as ProblemClass);
        found.push([exported.name, code, message]);
      }
    return found;
  }

  test('every class of errors is documented in an operation, NotFound in the introduction', async () => {
    const classes = await errorClasses();
    expect(classes.length).toBeGreaterThan(25);
    const texts = operations.flatMap(([, { responses }]) =>
      Object.values(responses).map(({ description }) => description),
    );
    const all = [document.info.description, ...texts].join('\n');
    expect(classes.filter(([, code]) => !all.includes(`- \`${code}\`: `))).toEqual([]);
  });

  test('each code stands in docs/api.md', async () => {
    const page = readFileSync('docs/api.md', 'utf8');
    expect((await errorClasses()).filter(([, code]) => !page.includes(`\`${code}\``))).toEqual([]);
  });

  test('are worded alike: in lower case, without a full stop', async () => {
    const details = (await errorClasses()).map(([, , detail]) => detail);
    expect(details.filter((detail) => /^[A-Z]|[.!]$|\. /.test(detail))).toEqual([]);
  });

  test('stand at their status, with a problem of each as an example', () => {
    const wrong: unknown[] = [];
    for (const [route, { responses }] of operations)
      for (const [status, { content = {} }] of Object.entries(responses)) {
        const { examples = {}, schema } = content[PROBLEM] ?? {};
        const codes = schema?.allOf?.[1]?.properties?.code?.enum ?? [];
        for (const { value } of Object.values(examples) as { value: { status: number; code: string } }[])
          if (String(value.status) !== status || !codes.includes(value.code)) wrong.push([route, status, value]);
      }
    expect(wrong).toEqual([]);
  });

  test('every operation behind the login has those of the token, and every operation those of all', () => {
    const codesOf = ({ responses }: Operation): unknown[] =>
      Object.values(responses).flatMap(
        ({ content }) => content?.[PROBLEM]?.schema?.allOf?.[1]?.properties?.code?.enum ?? [],
      );
    const isPublic = ({ security }: Operation) => security?.some((each) => Object.keys(each).length === 0) ?? false;
    const TOKEN = ['AUTH.TOKEN_MISSING', 'AUTH.TOKEN_INVALID', 'AUTH.TOKEN_EXPIRED'];
    const expected = (operation: Operation) => ['VALIDATION', 'INTERNAL', ...(isPublic(operation) ? [] : TOKEN)];
    const lacking = operations.filter(([, operation]) =>
      expected(operation).some((code) => !codesOf(operation).includes(code)),
    );
    expect(lacking.map(([route]) => route)).toEqual([]);
    expect(operations.filter(([, operation]) => isPublic(operation)).map(([route]) => route)).toEqual([
      'get /api/health',
      'get /metrics',
      'post /api/users',
      'post /api/auth/login',
      'post /api/user',
      'get /api/user/jobs/stats',
      'get /api/user/{job}',
      'get /api/pix/{ispb}/stream/start',
      'get /api/pix/{ispb}/stream/{interationId}',
      'delete /api/pix/{ispb}/stream/{interationId}',
      'post /api/util/msgs/{ispb}/{number}',
      'post /api/billing/webhooks/{company_id}/payments',
    ]);
  });
});

describe('the page at /api/docs', () => {
  test('is made of files that the API serves itself, and asks nothing of the internet', async () => {
    const page = (await stage.api<string>('GET', '/api/docs')).body;
    const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      expect(file).toMatch(/^\.\//);
      expect([file, (await stage.api('GET', `/api/${file.slice(2)}`)).status]).toEqual([file, 200]);
    }
    const start = (await stage.api<string>('GET', '/api/docs/swagger-ui-init.js')).body;
    expect(start).toContain('"validatorUrl": null');
  });

  test('shows each operation with its name, and links to those that its texts name', async () => {
    const start = (await stage.api<string>('GET', '/api/docs/swagger-ui-init.js')).body;
    expect(start).toMatch(/"displayOperationId": true,\s+"deepLinking": true/);
    const places = new Map(operations.map(([, { operationId, tags }]) => [operationId, `#/${tags[0]}/${operationId}`]));
    const { paths, ...rest } = document;
    const texts = JSON.stringify([rest, Object.values(paths).map((item) => Object.values(item))]);
    const named = [...texts.matchAll(/(\[?)`([a-z][A-Za-z]+)`(?:\]\(([^)]*)\))?/g)].filter(([, , id = '']) =>
      places.has(id),
    );
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter(([, bracket, id = '', link]) => bracket !== '[' || link !== places.get(id))).toEqual([]);
  });

  test('has the button for the token: every operation that is not public asks for a bearer', () => {
    expect(document).toMatchObject({
      security: [{ bearer: [] }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    });
  });
});
