import { type StreamToken, tokenText } from '../../pix/collect/stream-token.js';
import type { Actor } from '../simulation/scheduler.js';
import type { Reply, Request } from './processes.js';
import type { Simulation } from './simulation.js';

const PATIENCE = { lost: 0.15, leaves: 0.2, later: 0.35 };

/**
 * A client. While there is chaos it asks twice at once, leaves before the answer, hears it after it has asked something else,
 * and asks with tokens that are over; then it follows its stream.
 */
export class Collector {
  /** That it has heard of, of its stream and of those before it. */
  #tokens: StreamToken[] = [];
  #over: StreamToken[] = [];
  /** By stream: the token of its first DELETE. Another one of that stream changes nothing, and confirms nothing. */
  readonly #ended = new Map<string, StreamToken>();
  /** Asked, and to be heard later. */
  #later: Request[] = [];
  #form = 1;

  constructor(
    readonly ispb: string,
    private readonly leaves: number,
    private readonly simulation: Simulation,
  ) {}

  /** The one that it follows. */
  get stream(): string | undefined {
    return this.#tokens.at(-1)?.stream;
  }

  async live(actor: Actor): Promise<void> {
    const { scheduler } = this.simulation;
    for (;;) {
      await scheduler.gate(actor, 'asks', this.simulation.isGoing);
      const requests = this.#ask();
      for (const request of requests) {
        scheduler.trace.push(
          `  ${request.method} ${request.token ? tokenText(request.token) : 'start'} ${request.limit}`,
        );
        this.simulation.processes.send(request);
      }
      if (scheduler.chance() < 0.5) requests.push(...this.#later.splice(0));
      for (const request of requests) await this.#hear(actor, request);
    }
  }

  #ask(): Request[] {
    const { scheduler, chaos } = this.simulation;
    const [chance, twice] = [scheduler.chance(), scheduler.chance() < 0.25];
    this.#form = chaos ? scheduler.pick([1, 10]) : 10;
    if (chaos && chance < this.leaves) this.#forget();
    const token = this.#tokens.at(-1);
    if (!chaos || !token || chance < 0.68)
      return chaos && twice ? [this.#get(token), this.#get(token)] : [this.#get(token)];
    const known = scheduler.pick([...this.#tokens, ...this.#over.slice(-3)]);
    if (chance < 0.75) return [this.#get(known)];
    if (chance < 0.78) return [{ ...this.#get(known), ispb: scheduler.pick(['11111111', this.ispb]) }];
    const last = chance < 0.96 ? token : known;
    if (!this.#ended.has(last.stream)) this.#ended.set(last.stream, last);
    const end: Request = { ...this.#get(last), method: 'DELETE' };
    return twice || chance < 0.86 ? [this.#get(token), end] : [end];
  }

  #get(token: StreamToken | undefined): Request {
    return { method: 'GET', ispb: this.ispb, token, limit: this.#form, gone: false };
  }

  async #hear(actor: Actor, request: Request): Promise<void> {
    const { scheduler } = this.simulation;
    for (;;) {
      const chance = await scheduler.gate(actor, 'hears', () => this.simulation.chaos || request.reply !== undefined);
      const { reply } = request;
      if (reply) return this.simulation.chaos && chance < PATIENCE.lost ? undefined : this.#heard(request, reply);
      if (chance < PATIENCE.leaves) {
        request.gone = true;
        return;
      }
      if (chance < PATIENCE.later) {
        this.#later.push(request);
        return;
      }
    }
  }

  #heard({ method, token: asked }: Request, reply: Reply): void {
    const { book, scheduler } = this.simulation;
    scheduler.trace.push(`  hears ${JSON.stringify(reply)} to ${asked ? tokenText(asked) : 'start'}`);
    if (reply.outcome === 'batch') book.receives(tokenText(reply.token), reply.names);
    if (reply.outcome === 'batch' || reply.outcome === 'empty') {
      if (asked) book.confirms(tokenText(asked));
      if (reply.token.stream !== this.stream) this.#forget();
      this.#tokens.push(reply.token);
      return;
    }
    if (
      method === 'DELETE' &&
      reply.outcome === 'closed' &&
      asked &&
      this.#ended.get(asked.stream)?.read === asked.read
    )
      book.confirms(tokenText(asked));
    if (reply.outcome !== 'broken' && reply.outcome !== 'too_many' && asked?.stream === this.stream) this.#forget();
  }

  #forget(): void {
    this.#over.push(...this.#tokens.splice(0));
  }
}
