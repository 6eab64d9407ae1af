import { onEvent } from './boot.js';
import { DISPATCH, Duties } from './platform/duties.js';

/** Enough to finish the window that is being published, with its confirms and its stamp. */
const TIME_TO_STOP_MS = 5_000;

/** Lambda handler, every minute (serverless.yml). */
export const handler = onEvent(TIME_TO_STOP_MS, (app, stop) => app.get(Duties).pass(DISPATCH, stop));
