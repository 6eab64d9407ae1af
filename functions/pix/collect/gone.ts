import type { FastifyReply } from 'fastify';
import type { Runtime } from '../../platform/runtime.js';

/**
 * Aborts when the client has left before the whole answer was written; never in a function, where nobody tells. It may have
 * left already, while its key was looked for.
 */
export function goneSignal({ raw, request }: FastifyReply, { kind }: Runtime): AbortSignal {
  const gone = new AbortController();
  if (kind !== 'server') return gone.signal;
  const { socket } = request.raw;
  const leave = (): void => {
    if (!raw.writableFinished) gone.abort();
  };
  // A client may send many requests before the first one is answered; each listener goes with its answer.
  socket.setMaxListeners(0);
  // guard: the socket's, as an answer that waits behind another one of its connection never hears of it
  socket.once('close', leave);
  raw.once('finish', () => socket.off('close', leave));
  if (socket.destroyed) leave();
  return gone.signal;
}
