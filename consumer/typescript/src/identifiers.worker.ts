import { parentPort } from 'node:worker_threads';
import { createId } from '@paralleldrive/cuid2';
import { IDENTIFIERS_A_BLOCK } from './identifiers.js';

/** Replies to each message with a block of identifiers, one after the other with nothing between them. */
parentPort?.on('message', () => {
  parentPort?.postMessage(Array.from({ length: IDENTIFIERS_A_BLOCK }, () => createId()).join(''));
});
