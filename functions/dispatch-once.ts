import { ConfigurationError, EXIT, refusal } from '@disparo/contract';
import { createApp } from './app.js';
import { DispatchCampaigns } from './campaigns/dispatch-campaigns.js';
import { loadConfig } from './platform/config.js';
import { ServiceUnavailable } from './platform/problem.js';
import { Broker, NotPublished } from './platform/rabbitmq.js';

/** One pass. Answers the exit code: EXIT.forced while something is still owed. Throws what failure() puts into words. */
async function dispatchOnce(stop: AbortSignal): Promise<number> {
  const app = await createApp(loadConfig(), 'server');
  try {
    const { published, failed } = await app.get(DispatchCampaigns).pass(stop);
    process.stdout.write(`${published} campaigns published, ${failed} still owed\n`);
    if (failed === 0) return EXIT.drained;
    await app.get(Broker).ping();
    return EXIT.forced;
  } finally {
    await app.close();
  }
}

/** One line that says why, and the exit code. */
function failure(error: unknown): number {
  const variable = error instanceof NotPublished ? 'RABBITMQ_URL' : 'DATABASE_URL';
  const refused = refusal(error);
  if (error instanceof ConfigurationError) return say(error.message, EXIT.configuration);
  if (refused) return say(`${variable}: ${refused}`, EXIT.configuration);
  if (error instanceof NotPublished) return say(`${variable}: ${error.text}`, EXIT.forced);
  if (error instanceof ServiceUnavailable) return say(`${variable}: ${error.message}`, EXIT.forced);
  return say(String(error), EXIT.bug);
}

function say(line: string, code: number): number {
  process.stderr.write(`${line}\n`);
  return code;
}

/** `npm run dispatch`: a process of its own, for a machine without a scheduler. A signal stops at a window. */
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(EXIT.forced);
    stop.abort();
  });
process.exit(await dispatchOnce(stop.signal).catch(failure));
