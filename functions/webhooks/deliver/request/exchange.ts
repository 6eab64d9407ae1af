import type { ClientRequest, IncomingMessage } from 'node:http';
import { Unanswered } from './failure.js';

const KEPT_BYTES = 1_024;

/** What a receiver said: the head of its answer, and of the body the first KiB, as text that PostgreSQL takes. */
interface Said {
  head: IncomingMessage;
  start: string;
}

/**
 * Sends the body and waits for the answer. A head is an answer, also when what follows it breaks off, comes too slowly or is
 * longer than what is kept: the receiver has said what it thinks, and a repeat would be one message more.
 * Rejects when no answer comes. In any case nothing of the request is left open.
 * @param limitMs for the whole, to the last byte of the answer
 */
export function exchange(request: ClientRequest, body: Buffer, limitMs: number): Promise<Said> {
  return new Promise((resolve, reject) => {
    let head: IncomingMessage | undefined;
    let start = Buffer.alloc(0);
    let isSent = false;
    let isRead = false;

    // Guard: a 2xx to a request of which a part is still here says nothing of that part.
    const counts = () => isSent || !isSuccess(head);
    const end = (why?: Error) => {
      clearTimeout(timer);
      if (head !== undefined && counts()) resolve({ head, start: textOf(start) });
      else reject(why);
      request.destroy();
    };
    const timer = setTimeout(() => {
      const what = head === undefined ? 'no answer' : 'the request was not read';
      end(new Unanswered(`${what} within ${limitMs / 1_000} s`));
    }, limitMs);
    const onRead = () => {
      isRead = true;
      if (counts()) end();
    };

    request.on('finish', () => {
      // Guard: Node says so also of what it throws away with a connection that is broken.
      isSent = !request.socket?.errored && !request.socket?.destroyed;
      if (isSent && isRead) end();
    });
    request.on('response', (response) => {
      head = response;
      response.on('data', (chunk: Buffer) => {
        start = Buffer.concat([start, chunk]);
        if (start.byteLength < KEPT_BYTES) return;
        response.pause();
        onRead();
      });
      response.on('end', onRead);
      response.on('error', end);
    });
    // 101, which was not asked for: what follows is no HTTP.
    request.on('upgrade', (response) => {
      head = response;
      end();
    });
    request.on('error', end);
    request.end(body);
  });
}

function isSuccess(head: IncomingMessage | undefined): boolean {
  const status = head?.statusCode ?? 0;
  return status >= 200 && status < 300;
}

/** Without the character that the cut goes through, and without NUL, which no text of PostgreSQL may have. */
function textOf(start: Buffer): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(start.subarray(0, KEPT_BYTES), { stream: true }).replaceAll('\0', '');
}
