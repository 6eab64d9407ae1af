import type { StreamToken } from '../../pix/collect/stream-token.js';
import { type Refusal, type StartResult, StreamsRepository } from '../../pix/collect/streams.repository.js';
import type { Postgres } from '../../platform/stores/postgres.js';
import type { Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import type { Book } from './invariants.js';

/** How often a commit is slow, beside those that are slow of all. */
const SLOW = 0.4;

/** What a client hears. `broken`: the process has died. */
export type Reply =
  | { outcome: 'batch'; token: StreamToken; names: string[] }
  | { outcome: 'empty'; token: StreamToken }
  | { outcome: Refusal | 'full' | 'broken' };

/** A GET, or a DELETE. Without a token it is a start. */
export interface Request {
  method: 'GET' | 'DELETE';
  ispb: string;
  token: StreamToken | undefined;
  limit: number;
  /** Its client does not wait for the answer any more. */
  gone: boolean;
  reply?: Reply;
}

/** The processes of the API: what Collect and CloseStream do, without their times. */
export class Processes {
  readonly #queue: Request[] = [];
  /** By stream, whose it is. */
  readonly #ispbs = new Map<string, string>();
  #tokens = 0;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly book: Book,
  ) {}

  send(request: Request): void {
    this.#queue.push(request);
  }

  /** One process, which serves one request at a time. */
  async serve(session: Session): Promise<void> {
    const streams = streamsOn(session, this.scheduler);
    for (;;) {
      await this.scheduler.gate(session.actor, 'takes a request', () => this.#queue.length > 0);
      const request = this.#queue.splice(Math.floor(this.scheduler.chance() * this.#queue.length), 1)[0];
      if (!request) continue;
      try {
        const reply = await this.#answer(session, streams, request);
        await this.scheduler.gate(session.actor, `answers ${request.method} ${reply?.outcome}`);
        if (reply) request.reply = reply;
      } finally {
        request.reply ??= { outcome: 'broken' };
      }
    }
  }

  async #answer(session: Session, streams: StreamsRepository, request: Request): Promise<Reply | undefined> {
    const { method, ispb, token } = request;
    if (method === 'GET') return this.#poll(session, streams, request);
    if (!token) throw new Error('a DELETE without a token');
    const end = this.book.endOf(token.stream);
    const outcome = await streams.close(ispb, token, 'collector');
    this.#assertEnded(request, token, end, outcome);
    return { outcome };
  }

  async #poll(session: Session, streams: StreamsRepository, request: Request): Promise<Reply | undefined> {
    const { ispb, limit } = request;
    const token = request.token ?? this.#newToken(ispb);
    // In a function nobody is told.
    const hears = this.scheduler.chance() < 0.6;
    let result = request.token ? undefined : await streams.start(ispb, token, this.#newRead(), limit);
    if (result?.outcome === 'exists' || result?.outcome === 'full') return toldOf(token, result);
    result ??= await this.#read(streams, request, token);
    for (let looks = Math.floor(this.scheduler.chance() * 4); result.outcome === 'empty' && looks > 0; looks--) {
      await this.scheduler.gate(session.actor, 'waits');
      if (!(await streams.look(ispb, token))) continue;
      if (request.gone && hears) break;
      result = await this.#read(streams, request, token);
    }
    if (result.outcome === 'batch') this.book.handsOut(token.stream, namesIn(result.body));
    if (request.gone && hears) {
      if (!request.token) await streams.close(ispb, token, 'disconnect');
      return undefined;
    }
    return toldOf(token, result);
  }

  async #read(streams: StreamsRepository, request: Request, token: StreamToken) {
    const end = this.book.endOf(token.stream);
    const result = await streams.read(request.ispb, token, this.#newRead(), request.limit);
    this.#assertEnded(request, token, end, result.outcome);
    if (result.outcome === 'empty' && result.read !== token.read)
      throw new Error(`${token.stream} has another token, and brought nothing`);
    return result;
  }

  /** `end`: as it was before the statement. */
  #assertEnded({ method, ispb }: Request, { stream }: StreamToken, end: string | null, outcome: string): void {
    const isForeign = this.#ispbs.get(stream) !== ispb;
    const allowed = isForeign ? ['unknown'] : end === 'expiry' ? ['expired'] : undefined;
    const isOver = !isForeign && end !== null && ['batch', 'empty'].includes(outcome);
    if (isOver || (allowed && !allowed.includes(outcome)))
      throw new Error(`${method} of ${stream}, which has ended by ${end}: ${outcome}`);
  }

  #newToken(ispb: string): StreamToken {
    const stream = (++this.#tokens).toString(36).padStart(8, '0');
    this.#ispbs.set(stream, ispb);
    return { stream, read: this.#newRead() };
  }

  #newRead(): string {
    return (++this.#tokens).toString(36).padStart(4, '0');
  }
}

function toldOf({ stream }: StreamToken, result: StartResult): Reply {
  if (result.outcome === 'exists') throw new Error(`${stream} exists`);
  if (result.outcome === 'empty') return { outcome: 'empty', token: { stream, read: result.read } };
  if (result.outcome !== 'batch') return { outcome: result.outcome };
  return { outcome: 'batch', token: { stream, read: result.read }, names: namesIn(result.body) };
}

function namesIn(body: string): string[] {
  return (JSON.parse(`[${body}]`) as { endToEndId: string }[]).map(({ endToEndId }) => endToEndId);
}

/** The statements on streams, on a connection of the simulation. */
function streamsOn(session: Session, scheduler: Scheduler): StreamsRepository {
  const one = <T>(text: string, values: unknown[]) =>
    scheduler.chance() < SLOW ? session.transaction((sql) => sql.one<T>(text, values)) : session.one<T>(text, values);
  const unlessSilent = <T>(work: () => Promise<T>): Promise<T> => work();
  return new StreamsRepository({ one, unlessSilent } as unknown as Postgres);
}
