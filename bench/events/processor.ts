import { createApp } from '../../functions/app.js';
import { ProcessEvents } from '../../functions/events/intake/process-events.js';
import { loadConfig } from '../../functions/platform/config.js';
import { Runtime } from '../../functions/platform/runtime.js';

/**
 * The processor of events, with as many unacknowledged as the argument says: also more than EVENTS_PREFETCH allows. Ends when
 * it is killed.
 */
const config = { ...loadConfig(), eventsPrefetch: Number(process.argv[2]) };
const app = await createApp(config, new Runtime('server'));
await app.get(ProcessEvents).run(new AbortController().signal);
