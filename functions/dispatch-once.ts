import { ConfigurationError, EXIT, refusal } from '@disparo/contract';
import { closeDispatch, dispatchOnce } from './dispatch.js';

/** `npm run dispatch`: one pass in a process of its own, for a machine without a scheduler. A signal stops at a window. */
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(EXIT.forced);
    stop.abort();
  });

try {
  const { published, failed } = await dispatchOnce(stop.signal);
  process.stdout.write(`${published} campaigns published, ${failed} still owed\n`);
  await closeDispatch();
  process.exitCode = EXIT.drained;
} catch (error) {
  const refused = refusal(error);
  process.stderr.write(`${refused ? `DATABASE_URL: ${refused}` : String(error)}\n`);
  process.exitCode = error instanceof ConfigurationError || refused ? EXIT.configuration : EXIT.bug;
}
