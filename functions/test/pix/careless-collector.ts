import { setTimeout as pause } from 'node:timers/promises';
import type { ApiStage } from '../../../testing/api-stage.js';
import type { Book } from './invariants.js';

/** How likely each is. `silent`: it forgets its stream. */
const CHANCES = { aborts: 0.1, twice: 0.1, silent: 0.03, ends: 0.04 };
const ABORTS_WITHIN_MS = 10;
/** After a refusal: another process may be there, a slot free. */
const AGAIN_MS = 10;

/**
 * A client over HTTP. It asks any process, aborts reads, asks twice at once, ends its stream and falls silent; and writes
 * down what it has received and what it was told to be acknowledged.
 */
export class CarelessCollector {
  #token: string | undefined;
  #form = 'application/json';

  constructor(
    private readonly ispb: string,
    private readonly processes: readonly ApiStage[],
    private readonly book: Book,
    private readonly random: () => number,
  ) {}

  /** The one that it follows. */
  get stream(): string | undefined {
    return this.#token?.slice(0, 8);
  }

  async run(done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      if (this.#happens('silent')) this.#token = undefined;
      this.#form = this.random() < 0.5 ? 'multipart/json' : 'application/json';
      const token = this.#token;
      if (token && this.#happens('ends')) await this.#heard(token, this.#ask('DELETE', token, done));
      else {
        const first = this.#ask('GET', token, done);
        const second = this.#happens('twice') ? this.#ask('GET', token, done) : undefined;
        await this.#heard(token, first);
        if (second) await this.#heard(token, second);
      }
    }
  }

  #happens(what: keyof typeof CHANCES): boolean {
    return this.random() < CHANCES[what];
  }

  /** Undefined: no answer, or not all of it. */
  async #ask(method: string, token: string | undefined, done: AbortSignal): Promise<[Response, string] | undefined> {
    const { url } = this.processes[Math.floor(this.random() * this.processes.length)] as ApiStage;
    const ends = this.#happens('aborts')
      ? [done, AbortSignal.timeout(Math.ceil(this.random() * ABORTS_WITHIN_MS))]
      : [done];
    try {
      const response = await fetch(`${url}/api/pix/${this.ispb}/stream/${token ?? 'start'}`, {
        method,
        headers: { accept: this.#form },
        signal: AbortSignal.any(ends),
      });
      return [response, await response.text()];
    } catch {
      return undefined;
    }
  }

  async #heard(asked: string | undefined, asking: Promise<[Response, string] | undefined>): Promise<void> {
    const answer = await asking;
    if (!answer) return pause(AGAIN_MS);
    const [response, body] = answer;
    const next = response.headers.get('pull-next')?.split('/').at(-1);
    if (next) {
      if (response.status === 200) this.book.receives(next, namesIn(body));
      this.#token = next;
    }
    if (asked && response.ok) this.book.confirms(asked);
    // A DELETE is answered without a next token; so are 404 and 410, after which nothing is left of the stream.
    if (!next && [200, 404, 410].includes(response.status) && this.#token === asked) this.#token = undefined;
    if ([429, 503].includes(response.status)) await pause(AGAIN_MS);
    if (![200, 204, 404, 406, 410, 429, 503].includes(response.status)) throw new Error(`${response.status} ${body}`);
  }
}

function namesIn(body: string): string[] {
  return [JSON.parse(body) as { endToEndId: string } | { endToEndId: string }[]]
    .flat()
    .map(({ endToEndId }) => endToEndId);
}
