import { once } from 'node:events';
import type { SmtpConfig } from '../../platform/config.js';
import type { BillingMeter } from '../upkeep/billing-meter.js';
import { SmtpConnection, type SmtpLimits } from './smtp/smtp.js';

/** A server that takes one connection and refuses a further one is not asked for more before this time is over. */
const NO_MORE_MS = 60_000;

/** The connections to the mail server of one pass, which are used for one mail after the other, whichever company's it is. */
export class SmtpConnections {
  #open: SmtpConnection[] = [];
  #noMoreUntil = 0;

  constructor(
    private readonly smtp: SmtpConfig | undefined,
    private readonly meter: BillingMeter,
    /** Undefined: those of the transport. Tests shorten them. */
    private readonly limits?: Partial<SmtpLimits>,
  ) {}

  /** Whether there is a mail server at all. */
  get isConfigured(): boolean {
    return this.smtp !== undefined;
  }

  /** The address that mails come from. */
  get from(): string {
    return this.smtp?.from ?? '';
  }

  /**
   * One open connection or more, and as many as are wanted where the configuration and the server allow it. Rejects with
   * SmtpUnavailable when there is none, and when `stop` aborts while it waits for the first one.
   */
  async ready(wanted: number, stop: AbortSignal): Promise<readonly SmtpConnection[]> {
    this.#open = this.#open.filter(({ isOpen }) => isOpen);
    const most = Math.min(wanted, this.smtp?.connections ?? 0);
    const mayOpenMore = this.#open.length === 0 || performance.now() >= this.#noMoreUntil;
    const missing = mayOpenMore ? Math.max(most - this.#open.length, 0) : 0;
    const opening = await Promise.allSettled(Array.from({ length: missing }, () => this.#connect(stop)));
    const failed = opening.find((each) => each.status === 'rejected');
    for (const each of opening) if (each.status === 'fulfilled') this.#open.push(each.value);
    if (missing > 0) this.meter.smtp(this.#open.length > 0);
    if (failed && this.#open.length === 0) throw failed.reason;
    if (failed) this.noMore();
    return this.#open.slice(0, Math.max(most, 1));
  }

  /** For a while no more than those that are open: the server has closed one, and may do so since there are too many. */
  noMore(): void {
    this.#noMoreUntil = performance.now() + NO_MORE_MS;
  }

  /** Ends those that are open. */
  close(): void {
    for (const connection of this.#open.splice(0)) connection.close();
  }

  async #connect(stop: AbortSignal): Promise<SmtpConnection> {
    if (!this.smtp) throw new Error('a bug: there is no mail server');
    stop.throwIfAborted();
    const opening = SmtpConnection.open(this.smtp, this.limits);
    const settled = new AbortController();
    const stopped = once(stop, 'abort', { signal: settled.signal }).then(() => stop.throwIfAborted() as never);
    try {
      return await Promise.race([opening, stopped]);
    } catch (error) {
      // It may open all the same, when nobody waits for it any more.
      opening.then(
        (late) => late.close(),
        () => undefined,
      );
      throw error;
    } finally {
      settled.abort();
    }
  }
}
