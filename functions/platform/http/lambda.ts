import { ConfigurationError } from '@disparo/contract';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { configure } from '@vendia/serverless-express';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { Deadline, DeadlinePassed } from '../deadline.js';
import { PROBLEM_JSON, type Problem, ServiceUnavailable } from '../problem.js';
import { createLog } from '../telemetry/log.js';
import { ANSWER_HEADERS } from './headers.js';

/** What a function returns to API Gateway. */
export type Answer = APIGatewayProxyStructuredResultV2;
type Beside = (problem: Problem) => Record<string, unknown>;
type Serve = (event: APIGatewayProxyEventV2, context: Context) => Promise<Answer>;

/**
 * How much of the function's time is left at each step of giving up a request. The steps make sure that its caller gets a
 * problem and not the gateway's words. Where the time is shorter than usual, each step is a share of it.
 *
 * | left   |                                                                             |
 * |--------|-----------------------------------------------------------------------------|
 * | 4 s    | A request that stored nothing is refused with 503 and stores nothing later. |
 * |        | One that did store something may publish for two seconds, and read.         |
 * | 1.5 s  | Every statement ends. What is stored is answered as it was stored.          |
 * | 0.5 s  | A request that still runs is answered here. Nothing is committed after it.  |
 */
const LEFT = {
  refuse: { ms: 4_000, share: 1 / 2 },
  end: { ms: 1_500, share: 1 / 4 },
  answer: { ms: 500, share: 1 / 8 },
} as const;
/** Only where a COMMIT was sent, and it or what follows it did not end in time. */
const MAYBE_DONE = 'the request took too long; it may have been done, so look before you repeat it';
/** Types that are text. All others must go through API Gateway as base64, or they are corrupted. */
const TEXT = /^(text\/|application\/([\w.-]+\+)?(json|javascript|xml|yaml)\b)/i;

/** The app as a function's handler. */
export async function lambdaServer(app: NestFastifyApplication): Promise<Serve> {
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.ready();
  return configure({
    app: { handler: (request: never, response: never) => fastify.routing(request, response) } as never,
    binarySettings: { isBinary },
  }) as unknown as Serve;
}

/**
 * Returns the answer; a problem where that fails; or, at the last moment, a problem that says whether anything may be
 * stored. Never rejects. `beside`: what else stands in the body of these problems.
 */
export async function answerInTime(
  leftMs: number,
  answer: () => Promise<Answer>,
  beside: Beside = () => ({}),
): Promise<Answer> {
  const until = ({ ms, share }: { ms: number; share: number }) => leftMs - Math.min(ms, leftMs * share);
  const deadline = new Deadline({ refuseMs: until(LEFT.refuse), endMs: until(LEFT.end) });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => {
      deadline.pass();
      resolve(answerOf(deadline.stored ? new ServiceUnavailable(MAYBE_DONE) : new DeadlinePassed(), beside));
    }, until(LEFT.answer));
  });
  try {
    return await Promise.race([deadline.run(() => orProblem(answer, beside)), late]);
  } finally {
    clearTimeout(timer);
    deadline.close();
  }
}

async function orProblem(answer: () => Promise<Answer>, beside: Beside): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    // A log of its own, since what failed may be the configuration.
    const log = createLog('info');
    if (error instanceof ConfigurationError) log.error({ variable: error.variable }, error.message);
    else log.error({ err: error }, 'the function could not answer');
    return answerOf(new ServiceUnavailable('the function could not answer'), beside);
  }
}

function answerOf(problem: Problem, beside: Beside): Answer {
  return {
    statusCode: problem.status,
    headers: { ...ANSWER_HEADERS, ...problem.headers, 'content-type': PROBLEM_JSON },
    body: JSON.stringify({ ...problem.body(), ...beside(problem) }),
  };
}

function isBinary({ headers }: { headers: Record<string, string | string[] | undefined> }): boolean {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return true;
  const type = headers['content-type'];
  return typeof type === 'string' && !TEXT.test(type);
}
