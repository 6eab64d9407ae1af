import { readFileSync } from 'node:fs';
import { folders } from '../flow/folders.js';
import type { Caller, Folder, RawRequest, Step } from '../flow/step.js';
import type { Answers } from './answers.js';
import { type Contract, fieldsOf, type Parameter, type Route, routesOf } from './contract.js';
import { testsOf } from './scripts.js';

/** The address of the API of `npm start`. */
const BASE_URL = 'http://127.0.0.1:3000';
export const NUMBERS_FILE = 'postman/numeros.txt';
const SCHEMA = 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json';
const JSON_TYPE = 'application/json';
const FORM_TYPE = 'multipart/form-data';

const ABOUT = `Every route of Disparo, in the order in which one tries them.

**To run it**: start the API and a consumer (\`npm start\`), import this collection and
\`disparo.local.postman_environment.json\`, choose the environment *Disparo, local*, set the working directory (Settings,
General) to the folder of the repository, and run the collection. Without Postman: \`npm run postman\`.

Requests hand on ids and tokens in variables of the collection, so send them in order. E-mails and the CNPJ are made anew
each time: it can be run again and again. Bodies, parameters and descriptions are those of \`/api/openapi.json\`; this file
is built from it (\`npm run postman -- build\`).`;

/** Variables with a value before the first request; all others are set by scripts. */
const GIVEN: Record<string, string> = {
  base_url: BASE_URL,
  password: 'correto cavalo bateria',
  new_password: 'grampo novo bateria',
};
const TOKENS: Record<Exclude<Caller, 'nobody'>, string> = {
  ana: '{{token}}',
  bia: '{{bia_token}}',
  eva: '{{eva_token}}',
  collector: '{{pix_api_key}}',
  forger: 'not.a.token',
};

type Json = Record<string, unknown>;

/** All steps in order. */
export function allFolders(): Folder[] {
  return folders(readFileSync(NUMBERS_FILE, 'utf8'));
}

/** The collection in Postman's format 2.1. Throws when a step asks an unknown operation, or no step asks an operation. */
export function collectionOf(contract: Contract, answers: Answers): Json {
  const routes = routesOf(contract);
  const all = allFolders();
  const asked = new Set(all.flatMap(({ steps }) => steps.map(({ ask }) => ask)));
  const missing = [...routes.keys()].filter((id) => !asked.has(id));
  if (missing.length > 0) throw new Error(`no request asks ${missing.join(', ')}: add one under postman/flow/`);
  const item = all.map(({ name, description, steps }) => ({
    name,
    description,
    item: steps.map((step) => itemOf(step, routes, contract, answers)),
  }));
  return {
    info: { name: 'Disparo', description: ABOUT, schema: SCHEMA },
    auth: bearer(TOKENS.ana),
    variable: variables(all).map((key) => ({ key, value: GIVEN[key] ?? '' })),
    item,
  };
}

/** The Postman environment for an API on this machine. */
export function environmentOf(): Json {
  return {
    name: 'Disparo, local',
    values: [{ key: 'base_url', value: BASE_URL, type: 'default', enabled: true }],
    _postman_variable_scope: 'environment',
  };
}

function variables(all: Folder[]): string[] {
  const steps = all.flatMap((folder) => folder.steps);
  const kept = steps.flatMap(({ keep = {} }) => Object.keys(keep));
  const made = steps.flatMap(({ before = [] }) =>
    [...before.join('\n').matchAll(/collectionVariables\.set\('(\w+)'/g)].map(([, name]) => name ?? ''),
  );
  return [...new Set([...Object.keys(GIVEN), ...made, ...kept, 'asked'])];
}

function itemOf(step: Step, routes: Map<string, Route>, contract: Contract, answers: Answers): Json {
  const route = typeof step.ask === 'string' ? routes.get(step.ask) : undefined;
  if (typeof step.ask === 'string' && !route) throw new Error(`"${step.name}" asks ${step.ask}, which the API has not`);
  const request = typeof step.ask === 'string' ? operationRequest(step, route as Route) : rawRequest(step.ask);
  const whole = { ...request, ...authOf(step.as) };
  const answer = answers[step.name];
  return {
    name: step.name,
    event: [
      ...(step.before ? [{ listen: 'prerequest', script: script(step.before) }] : []),
      { listen: 'test', script: script(testsOf(step, route, contract)) },
    ],
    request: whole,
    response: answer ? [exampleOf(step, whole, answer)] : [],
  };
}

function script(exec: string[]): Json {
  return { type: 'text/javascript', exec };
}

function authOf(caller: Caller = 'ana'): Json {
  if (caller === 'ana') return {};
  return { auth: caller === 'nobody' ? { type: 'noauth' } : bearer(TOKENS[caller]) };
}

function bearer(token: string): Json {
  return { type: 'bearer', bearer: [{ key: 'token', value: token, type: 'string' }] };
}

function rawRequest({ method, url, description, text }: RawRequest): Json {
  return {
    method,
    header: [],
    ...(text !== undefined && { body: { mode: 'raw', raw: text, options: { raw: { language: 'text' } } } }),
    url: urlOf(url),
    description,
  };
}

function operationRequest(step: Step, { method, path, operation }: Route): Json {
  const { parameters = [], summary, description } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const url = urlOf(`{{base_url}}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`);
  const query = parameters.filter((parameter) => parameter.in === 'query').map((each) => given(each, step.query));
  const variable = inPath.map(({ name, description }) => ({ key: name, value: step.path?.[name] ?? '', description }));
  return {
    method,
    header: [
      ...(step.json || step.raw ? [{ key: 'Content-Type', value: JSON_TYPE }] : []),
      ...parameters.filter((parameter) => parameter.in === 'header').map((each) => given(each, step.headers)),
      ...(step.headers?.Accept ? [{ key: 'Accept', value: step.headers.Accept }] : []),
    ],
    ...bodyOf(step, operation),
    url: {
      ...url,
      raw: url.raw + queryText(query),
      ...(query.length > 0 && { query }),
      ...(variable.length > 0 && { variable }),
    },
    description: [`${summary}. ${description}`, step.note, refusalOf(step, operation)].filter(Boolean).join('\n\n'),
  };
}

/** What the OpenAPI document says about the problem that the step shows. */
function refusalOf({ status, code }: Step, { responses }: Route['operation']): string | undefined {
  if (code === undefined) return undefined;
  const meaning = responses[status]?.description.split('\n').find((line) => line.startsWith(`- \`${code}\`: `));
  if (meaning === undefined) throw new Error(`${code} is not documented at ${status}`);
  return `Answers ${status} ${meaning.slice(2)}`;
}

interface Given {
  key: string;
  value: string;
  description: string;
  disabled?: true;
}

/** A parameter with the step's value. One that the step does not set is disabled, so that a user can switch it on. */
function given({ name, description = '', example, schema }: Parameter, values: Record<string, string> = {}): Given {
  const value = values[name];
  if (value !== undefined) return { key: name, value, description };
  return { key: name, value: String(example ?? schema.example ?? ''), description, disabled: true };
}

function queryText(query: Given[]): string {
  const on = query.filter(({ disabled }) => !disabled).map(({ key, value }) => `${key}=${value}`);
  return on.length > 0 ? `?${on.join('&')}` : '';
}

/** The URL in Postman's form. An empty path is left out, as it would be sent as a slash. */
function urlOf(raw: string): { raw: string; host: string[]; path?: string[] } {
  const [host = '', ...path] = raw.split('/');
  return { raw, host: [host], ...(path.length > 0 && { path }) };
}

function bodyOf(step: Step, operation: Route['operation']): Json {
  if (step.form) return { body: { mode: 'formdata', formdata: formOf(step.form, operation) } };
  if (step.raw !== undefined) return jsonBody(step.raw);
  if (!step.json) return {};
  const example = [...fieldsOf(operation, JSON_TYPE)].map(([name, field]) => [name, field.example]);
  const text = JSON.stringify({ ...Object.fromEntries(example), ...step.json }, null, 2);
  return jsonBody(text.replaceAll(/"(\{\{\w+_json\}\})"/g, '$1'));
}

function jsonBody(raw: string): Json {
  return { body: { mode: 'raw', raw, options: { raw: { language: 'json' } } } };
}

function formOf(form: Record<string, string | undefined>, operation: Route['operation']): Json[] {
  return [...fieldsOf(operation, FORM_TYPE)].flatMap(([key, { example, description }]): Json[] => {
    const value = key in form ? form[key] : String(example ?? '');
    if (value === undefined) return [];
    return [
      key === 'file' ? { key, type: 'file', src: value, description } : { key, value, type: 'text', description },
    ];
  });
}

function exampleOf(step: Step, originalRequest: Json, { status, reason, headers, body }: Answers[string]): Json {
  const { description: _, ...request } = originalRequest;
  const type = headers['content-type'] ?? '';
  return {
    name: `${status} ${step.code ?? reason}`,
    originalRequest: request,
    status: reason,
    code: status,
    _postman_previewlanguage: type.includes('json') ? 'json' : 'text',
    header: Object.entries(headers).map(([key, value]) => ({ key, value })),
    cookie: [],
    body,
  };
}
