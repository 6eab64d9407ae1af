import { WorkBilling } from './billing/work-billing.js';
import { onEvent } from './boot.js';

/**
 * Enough for what has begun: a question to the bank, 20 s at most, and the statement that records its answer; or mails under way,
 * which get 10 s more before their sockets are destroyed, and 10 s to be recorded. A pass that the end of the function cuts off
 * loses nothing, but its debts wait for the end of their lease, and its mails under way are held for a person.
 */
const TIME_TO_STOP_MS = 40_000;

/** Lambda handler, every minute (serverless.yml): merges, issues, sends mails, writes off until nothing is owed. */
export const handler = onEvent(TIME_TO_STOP_MS, (app, stop) => app.get(WorkBilling).pass(stop));
