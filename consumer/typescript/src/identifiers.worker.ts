import { parentPort } from 'node:worker_threads';
import { createId } from '@paralleldrive/cuid2';
import { IDENTIFIERS_A_BLOCK } from './identifiers.js';

/** Answers each message with a block of identifiers, one after the other without anything between. */
parentPort?.on('message', () => {
  parentPort?.postMessage(Array.from({ length: IDENTIFIERS_A_BLOCK }, () => createId()).join(''));
});
