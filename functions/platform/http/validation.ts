import { type CanActivate, type ExecutionContext, StandardSchemaValidationPipe } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type FieldError, ValidationProblem } from '../problem.js';
import './issue-words.js';

type Issue = Parameters<
  NonNullable<NonNullable<ConstructorParameters<typeof StandardSchemaValidationPipe>[0]>['exceptionFactory']>
>[0][number];

const ID_FORM = /^[a-z][0-9a-z]{1,31}$/;

/** Whether a text can be an id at all. One that cannot is just not found, and never reaches SQL, which refuses NUL. */
export function isId(text: string): boolean {
  return ID_FORM.test(text);
}

/** The schema of an id in an answer. */
export function idOf(what: string, example: string) {
  return z.string().meta({ description: `The id of the ${what}, a cuid2.`, example });
}

/** The schema of a time in an answer. */
export function timeOf(what: string) {
  return z.iso
    .datetime()
    .meta({ description: `${what}, in UTC with milliseconds.`, example: '2026-11-24T12:00:00.000Z' });
}

/** When a row was made and changed, and whether it is deleted. Spread into the object of an answer. */
export const lifeFields = {
  created_at: timeOf('When it was made'),
  updated_at: timeOf('When it last changed'),
  deleted: z.boolean().meta({ description: 'Always `false`: what is deleted is not found.', example: false }),
};

/** Does not walk through each value to delete `__proto__` and its like: the parser refuses them, or a strict schema does. */
class ValidationPipe extends StandardSchemaValidationPipe {
  protected override stripProtoKeys(): void {}
}

/** Parses what a parameter's `schema` option describes, or throws ValidationProblem. Object schemas must be strict. */
export function validationPipe(): StandardSchemaValidationPipe {
  return new ValidationPipe({
    exceptionFactory: (issues) => new ValidationProblem(issues.flatMap(fieldErrors)),
  });
}

/** Parses what no parameter's `schema` option reaches, for example the fields of a form. Throws ValidationProblem. */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ValidationProblem(parsed.error.issues.flatMap(fieldErrors));
}

/** The errors of one issue. An issue about unknown fields has an error for each of them. */
function fieldErrors(issue: Issue): FieldError[] {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  // The value itself is not an object. Only a JSON body can be that: a query and the fields of a form always are objects.
  if (path.length === 0 && (issue as { code?: unknown }).code === 'invalid_type')
    return [{ path: '', message: 'the body must be a JSON object' }];
  const { code, keys } = issue as { code?: unknown; keys?: unknown };
  if (code === 'unrecognized_keys' && Array.isArray(keys))
    return keys.map((key) => ({ path: [...path, String(key)].join('.'), message: 'is not known here' }));
  return [{ path: path.join('.'), message: issue.message }];
}

const ROUTE_ARGUMENTS = '__routeArguments__';
/** RouteParamtypes of Nest: REQUEST, BODY, QUERY. Its enum is exported from no public path. */
const REQUEST = '0';
const BODY = '3';
const QUERY = '4';

/**
 * Refuses a query or a JSON body on a route that takes none: unknown fields are refused everywhere. A guard, since one
 * interceptor makes each request of every route an Observable, which costs as much as reading it.
 */
export class RefuseUnknown implements CanActivate {
  readonly #taken = new WeakMap<object, ReadonlySet<string | undefined>>();

  canActivate(context: ExecutionContext): boolean {
    const taken = this.#takenBy(context);
    const { query, body } = context.switchToHttp().getRequest<FastifyRequest>();
    const unknown = [
      ...(taken.has(QUERY) ? [] : keysOf(query)),
      ...(taken.has(BODY) || taken.has(REQUEST) ? [] : keysOf(body)),
    ];
    if (unknown.length > 0)
      throw new ValidationProblem(unknown.map((path) => ({ path, message: 'is not known here' })));
    return true;
  }

  #takenBy(context: ExecutionContext): ReadonlySet<string | undefined> {
    const handler = context.getHandler();
    const known = this.#taken.get(handler);
    if (known) return known;
    const parameters: object = Reflect.getMetadata(ROUTE_ARGUMENTS, context.getClass(), handler.name) ?? {};
    const taken = new Set(Object.keys(parameters).map((key) => key.split(':')[0]));
    this.#taken.set(handler, taken);
    return taken;
  }
}

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
