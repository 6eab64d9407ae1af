import * as http from 'node:http';
import * as https from 'node:https';

/** Longer than any poll is waited for. */
const TIMEOUT_MS = 20_000;

/** The message of the error of an answer that was lost on purpose. */
export const DROPPED = 'dropped';

/** A whole answer. */
export interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** What is sent. `dropped`: the connection is broken when the answer begins to come, and the answer is lost. */
interface Ask {
  method: 'GET' | 'DELETE';
  headers: Record<string, string>;
  dropped?: boolean;
  signal?: AbortSignal;
}

/** The connection of one collector, which it keeps from request to request. */
export class Connection {
  #agent: http.Agent | https.Agent | undefined;
  #protocol = '';

  /** Rejects with an Error when no whole answer comes. */
  ask(url: URL, { method, headers, dropped = false, signal }: Ask): Promise<Reply> {
    const { request } = url.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agentOf(url), timeout: TIMEOUT_MS, ...(signal && { signal }) };
      const asked = request(url, options, (answer) => {
        answer.on('error', reject);
        if (dropped) {
          reject(new Error(DROPPED));
          return void asked.destroy();
        }
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
      });
      asked.on('timeout', () => asked.destroy(new Error('no answer')));
      asked.on('error', reject);
      asked.end();
    });
  }

  /** Breaks it; the next request opens another. */
  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  #agentOf({ protocol }: URL): http.Agent {
    if (protocol !== this.#protocol) this.close();
    this.#protocol = protocol;
    const { Agent } = protocol === 'https:' ? https : http;
    this.#agent ??= new Agent({ keepAlive: true, maxSockets: 1 });
    return this.#agent;
  }
}
