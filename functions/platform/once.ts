import { ConfigurationError, EXIT, refusal } from '@disparo/contract';
import type { INestApplicationContext } from '@nestjs/common';
import { ServiceUnavailable } from './problem.js';
import { Runtime } from './runtime.js';
import { isMongoAway } from './stores/mongo.js';
import { NotPublished } from './stores/rabbitmq-channel.js';

/**
 * Runs `work` with the app and ends the process with the exit code that it returns. A failure is one line on standard error.
 * The first signal aborts `stop`; the second one, or the end of the grace time, ends the process at once.
 */
export async function runOnce(
  create: (runtime: Runtime) => Promise<INestApplicationContext>,
  work: (app: INestApplicationContext, stop: AbortSignal) => Promise<number>,
  graceMs?: number,
): Promise<never> {
  const runtime = new Runtime('server');
  runtime.stopOnSignals(graceMs);
  // As in `... | head`: a reader that stops reading does not stop the work, and is not a failure.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  const once = async (): Promise<number> => {
    const app = await create(runtime);
    try {
      return await work(app, runtime.stopping);
    } finally {
      await app.close();
    }
  };
  const code = await once().catch(failure);
  // An exit drops what a pipe has not taken yet.
  for (const stream of [process.stdout, process.stderr]) await new Promise((taken) => stream.write('', taken));
  process.exit(code);
}

/** Writes one line that says why, with the variable of the service where one failed. Returns the exit code. */
export function failure(error: unknown): number {
  const variable = variableOf(error);
  const refused = refusal(error);
  if (error instanceof ConfigurationError) return say(error.message, EXIT.configuration);
  if (refused) return say(`${variable}: ${refused}`, EXIT.configuration);
  if (error instanceof NotPublished) return say(`${variable}: ${error.text}`, EXIT.forced);
  if (error instanceof ServiceUnavailable || isMongoAway(error))
    return say(`${variable}: ${(error as Error).message}`, EXIT.forced);
  return say(String(error), EXIT.bug);
}

/** The variable with the URL of the service that failed. A ServiceUnavailable has the service's own error as its cause. */
function variableOf(error: unknown): string {
  if (error instanceof NotPublished) return 'RABBITMQ_URL';
  if (error instanceof ServiceUnavailable && error.cause !== undefined) return variableOf(error.cause);
  return error instanceof Error && error.name.startsWith('Mongo') ? 'MONGODB_URL' : 'DATABASE_URL';
}

function say(line: string, code: number): number {
  process.stderr.write(`${line}\n`);
  return code;
}
