import { onRequest } from './boot.js';

/** The API behind API Gateway, and behind serverless offline. */
export const handler = onRequest();
