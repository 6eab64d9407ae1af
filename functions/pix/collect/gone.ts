import type { FastifyReply } from 'fastify';
import type { Runtime } from '../../platform/runtime.js';

/** Aborts when the client has left before the whole answer was written; never in a function, which is not told. */
export function goneSignal({ raw }: FastifyReply, { kind }: Runtime): AbortSignal {
  const gone = new AbortController();
  const leave = (): void => {
    if (!raw.writableFinished) gone.abort();
  };
  if (kind === 'server') raw.once('close', leave);
  // It may have left while its key was looked for.
  if (kind === 'server' && raw.closed) leave();
  return gone.signal;
}
