import { Injectable } from '@nestjs/common';
import { isOutage } from '../../platform/problem.js';
import { Runtime } from '../../platform/runtime.js';
import { TooManyStreams } from '../pix.errors.js';
import { PixMeter } from '../upkeep/pix-meter.js';
import { AbandonedStreams } from './abandoned-streams.js';
import { type Bell, Bells } from './bells.js';
import { inTime, Late } from './in-time.js';
import { problemOf } from './outcomes.js';
import { newRead, newToken, type StreamToken } from './stream-token.js';
import { type ReadResult, StreamsRepository } from './streams.repository.js';

/** From the arrival of a request until it is answered without a message, so that its client waits eight seconds at most. */
const WAIT_MS = 7_800;
/**
 * A notification can be missed, and in a function, which is frozen between requests, and behind a pooler that shares
 * connections by transactions, none is heard at all. So each poll also looks.
 */
const LOOK_MS = { server: 1_000, function: 250 };
/** Polls that began together do not look together. */
const LOOK_JITTER = 0.1;

/** A GET of a collector. */
export interface Poll {
  ispb: string;
  /** Undefined: it starts a stream. */
  token: StreamToken | undefined;
  /** Messages at most. */
  limit: number;
  /** When the request came, by `performance.now()`. */
  arrivedAt: number;
  /** Aborts when the client has left before the whole answer was written. Never in a function, which is not told. */
  gone: AbortSignal;
}

/** What a poll is answered with; `token` is the next one. `body`: JSON with commas between the messages. */
export type Collected = { kind: 'batch'; token: StreamToken; body: string } | { kind: 'empty'; token: StreamToken };

/** Hands out messages, and waits for them. A poll that waits holds no connection. */
@Injectable()
export class Collect {
  constructor(
    private readonly streams: StreamsRepository,
    private readonly bells: Bells,
    private readonly abandoned: AbandonedStreams,
    private readonly meter: PixMeter,
    private readonly runtime: Runtime,
  ) {}

  /**
   * Acknowledges the batch before, and claims the next one as soon as there is one. Throws TooManyStreams, what `problemOf`
   * says, and ServiceUnavailable. A stream that is started here and of which the client does not hear is closed. What is
   * returned for a client that has left nobody reads.
   */
  async collect(poll: Poll): Promise<Collected> {
    // guard, P8: the bell hangs BEFORE the first read: a message between a read and the wait would wake nobody
    const bell = this.bells.hang(poll.ispb);
    this.meter.begins();
    try {
      return await (poll.token ? this.#follow(poll, poll.token, bell) : this.#start(poll, bell));
    } finally {
      this.meter.ends();
      this.bells.remove(poll.ispb, bell);
    }
  }

  async #follow(poll: Poll, token: StreamToken, bell: Bell): Promise<Collected> {
    if (poll.gone.aborted) return { kind: 'empty', token };
    const first = await this.#read(poll, token);
    return first.kind === 'batch' ? first : this.#wait(poll, token, bell);
  }

  async #start(poll: Poll, bell: Bell): Promise<Collected> {
    for (;;) {
      const token = newToken();
      if (poll.gone.aborted) return { kind: 'empty', token };
      const started = await this.#startAs(poll, token, bell);
      if (started !== 'exists') return started;
    }
  }

  async #startAs(poll: Poll, token: StreamToken, bell: Bell): Promise<Collected | 'exists'> {
    const next = newRead();
    const opening = this.streams.start(poll.ispb, token, next, poll.limit);
    // guard, P9: a stream of which the client does not hear is closed once its opening has ended, well or not
    const abandon = () => void opening.catch(() => undefined).then(() => this.abandoned.close(poll.ispb, token));
    poll.gone.addEventListener('abort', abandon);
    try {
      const started = await inTime(poll.arrivedAt, opening);
      if (started.outcome === 'exists' || started.outcome === 'full') poll.gone.removeEventListener('abort', abandon);
      if (started.outcome === 'exists') return 'exists';
      if (started.outcome === 'full') throw new TooManyStreams(started.retry_after);
      const first = this.#collected(token, next, started);
      return first.kind === 'batch' ? first : await this.#wait(poll, token, bell);
    } catch (error) {
      if (!(error instanceof TooManyStreams)) abandon();
      throw error;
    }
  }

  /** Looks at each ring and from time to time, and reads when there is something, until the time of the poll is over. */
  async #wait(poll: Poll, token: StreamToken, bell: Bell): Promise<Collected> {
    const ends = [poll.gone, this.runtime.stopping];
    const until = poll.arrivedAt + WAIT_MS;
    for (;;) {
      const lookMs = LOOK_MS[this.runtime.kind] * (1 + LOOK_JITTER * (2 * Math.random() - 1));
      await bell.wait(Math.max(Math.min(lookMs, until - performance.now()), 0), ends);
      if (ends.some(({ aborted }) => aborted)) return { kind: 'empty', token };
      const isLast = performance.now() >= until;
      const rungAt = bell.take();
      try {
        const isWorthIt = isLast || (await inTime(poll.arrivedAt, this.streams.look(poll.ispb, token)));
        // guard: what is claimed for a client that has gone would wait for its next token, or for the stream to expire
        if (!isWorthIt || poll.gone.aborted) continue;
        const again = await this.#read(poll, token);
        if (again.kind === 'batch' && rungAt !== undefined) this.meter.woke(performance.now() - rungAt);
        if (again.kind === 'batch' || isLast) return again;
      } catch (error) {
        // An earlier read found nothing. What this one finds after all is repeated to the token of this answer.
        if (error instanceof Late) return { kind: 'empty', token };
        if (isLast || !isOutage(error)) throw error;
      }
    }
  }

  async #read(poll: Poll, token: StreamToken): Promise<Collected> {
    const next = newRead();
    return this.#collected(
      token,
      next,
      await inTime(poll.arrivedAt, this.streams.read(poll.ispb, token, next, poll.limit)),
    );
  }

  /** `next`: the read that this call would rotate to; another one is that of a batch that is repeated. */
  #collected({ stream }: StreamToken, next: string, result: ReadResult): Collected {
    if (result.outcome === 'empty') return { kind: 'empty', token: { stream, read: result.read } };
    if (result.outcome !== 'batch') throw problemOf(result.outcome);
    this.meter.handsOut(result.read === next ? 'batch' : 'replay');
    return { kind: 'batch', token: { stream, read: result.read }, body: result.body };
  }
}
