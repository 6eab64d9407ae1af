import { onEvent } from './boot.js';
import { DeliverWebhooks } from './webhooks/deliver/deliver-webhooks.js';

/**
 * Enough for a request that has just begun, which may take 15 s, and for the statement that tells how it ended. One that the
 * end of the function cuts off would be sent again, though its receiver has taken it.
 */
const TIME_TO_STOP_MS = 20_000;

/** Lambda handler, every minute (serverless.yml): sends what is due. */
export const handler = onEvent(TIME_TO_STOP_MS, (app, stop) => app.get(DeliverWebhooks).pass(stop));
