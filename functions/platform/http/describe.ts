import { applyDecorators } from '@nestjs/common';
import { ApiOperation, type ApiOperationOptions, ApiParam, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  BodyTooLarge,
  InternalProblem,
  MediaTypeRefused,
  NotUtf8,
  PROBLEM_JSON,
  type Problem,
  type ProblemClass,
  ServiceUnavailable,
  sampleOf,
  ValidationProblem,
} from '../problem.js';

/** An answer of a route: JSON by its schema, or a text of another type by an example; neither where it has no body. */
interface AnswerDocs {
  description: string;
  schema?: z.ZodType;
  text?: { type: string; example: string };
  /** By name: what each header is for. */
  headers?: Record<string, string>;
}

/** What OpenAPI says about a route. */
export interface RouteDocs {
  /** `operationId`, after which generated clients name their function. */
  id: string;
  summary: string;
  description: string;
  /** By status. */
  answers: Record<number, AnswerDocs>;
  /** By parameter of the path: what it is the id of, for example `company`. */
  ids?: Record<string, string>;
  /** By parameter of the path that is no id: what it is. */
  params?: Record<string, string>;
  /** The problems that it answers with; those of every route are added. */
  errors?: readonly ProblemClass[];
  /** The members that its `@RouteConfig` puts beside those of a problem; examples show them. */
  beside?: (problem: Problem) => Record<string, unknown>;
  /** For a route that reads its request itself, so that no parameter's schema describes the body. */
  requestBody?: ApiOperationOptions['requestBody'];
}

/** The problems that every route with a body has as well. */
export const BODY_ERRORS: readonly ProblemClass[] = [NotUtf8, BodyTooLarge, MediaTypeRefused];
const STRING = { type: 'string' } as const;
const EVERY_ROUTE: readonly ProblemClass[] = [ValidationProblem, InternalProblem, ServiceUnavailable];

/** A link to an operation within the page, in Markdown. The page labels its operations by method and path. */
export function linkTo(tag: string, operationId: string): string {
  return `[\`${operationId}\`](#/${tag}/${operationId})`;
}

/** Says in OpenAPI what a route is for, takes, answers and refuses. */
export function Describe(route: RouteDocs): MethodDecorator {
  const { id, summary, description, answers, ids = {}, params = {}, errors = [], requestBody, beside } = route;
  const operation = { operationId: id, summary, description, ...(requestBody && { requestBody }) };
  const refusals = problemResponses([...EVERY_ROUTE, ...errors], beside);
  const responses = { ...refusals, ...mapValues(answers, responseOf) };
  return applyDecorators(
    ApiOperation(operation),
    ...Object.entries(ids).map(([name, whose]) => ApiParam({ name, description: `The id of the ${whose}.` })),
    ...Object.entries(params).map(([name, what]) => ApiParam({ name, description: what })),
    ...Object.entries(responses).map(([status, response]) => ApiResponse({ status: Number(status), ...response })),
  );
}

function responseOf({ description, schema, text, headers }: AnswerDocs) {
  return {
    description,
    ...(headers && { headers: mapValues(headers, (why) => ({ description: why, schema: STRING })) }),
    ...(schema && { standardSchema: schema }),
    ...(text && { content: { [text.type]: { schema: STRING, example: text.example } } }),
  };
}

/** By status: what each code means, and one problem of each class. */
function problemResponses(classes: readonly ProblemClass[], beside: RouteDocs['beside']) {
  const byStatus: Record<string, Problem[]> = {};
  for (const problem of classes.map(sampleOf)) {
    byStatus[problem.status] ??= [];
    byStatus[problem.status]?.push(problem);
  }
  return mapValues(byStatus, (problems) => problemResponse(problems, beside));
}

function problemResponse(problems: Problem[], beside: RouteDocs['beside']) {
  const headers = Object.assign({}, ...problems.map((problem) => problem.headers)) as Record<string, string>;
  const codes = [...new Set(problems.map(({ code }) => code))];
  const code = { type: 'string', enum: codes, description: 'One of these.' } as const;
  return {
    description: problemList(problems),
    ...(Object.keys(headers).length > 0 && {
      headers: mapValues(headers, (example) => ({ description: `For example \`${example}\`.`, schema: STRING })),
    }),
    content: {
      [PROBLEM_JSON]: {
        schema: {
          allOf: [{ $ref: '#/components/schemas/Problem' }, { type: 'object' as const, properties: { code } }],
        },
        examples: Object.fromEntries(
          problems.map((each) => [each.name, { summary: each.code, value: { ...each.body(), ...beside?.(each) } }]),
        ),
      },
    },
  };
}

/** A list of problems for people, a line each. */
export function problemList(problems: readonly Problem[]): string {
  return problems.map(({ code, message }) => `- \`${code}\`: ${message}`).join('\n');
}

function mapValues<T, U>(object: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
