import type { Claim } from './delivery.js';

const MOST_ENDPOINTS = 20;
/** What a claim takes of an endpoint. */
export const PER_ENDPOINT = 16;
/** Over so many no more of an endpoint are claimed, so that it never has more than twice as many. */
const BUSY_OVER = 16;
const MOST_REQUESTS = 512;
const MIB = 1_024 * 1_024;
/** Messages up to this wait for no memory: of all requests together they take 32 MiB. */
const SMALL_BYTES = 64 * 1_024;
/** Of the larger messages of requests under way. A request takes a few times as much memory. */
const MOST_BYTES = { all: 32 * MIB, ofEndpoint: 8 * MIB };

interface Used {
  requests: number;
  bytes: number;
}

interface Waiting {
  claim: Claim;
  end(placed: boolean): void;
}

/**
 * What a sender has claimed and not ended, and the limits of it: all together, and of each endpoint, so that one that hangs
 * holds up no other.
 */
export class InFlight {
  readonly #used = new Map<string, Used>();
  readonly #all: Used = { requests: 0, bytes: 0 };
  /** Claims of large messages that wait for memory, the first to come first. */
  readonly #waiting: Waiting[] = [];
  #wake: () => void = () => {};
  #woken = false;
  #closed = false;

  get requests(): number {
    return this.#all.requests;
  }

  /** Endpoints of which no more may be claimed now. */
  busy(): string[] {
    return [...this.#used].filter(([, { requests }]) => requests > BUSY_OVER).map(([id]) => id);
  }

  /** Of how many endpoints more may be claimed now. */
  endpoints(): number {
    return Math.min(MOST_ENDPOINTS, Math.floor((MOST_REQUESTS - this.#all.requests) / PER_ENDPOINT));
  }

  /** Counts a claim, until `end`. */
  begin(claim: Claim): void {
    this.#all.requests += 1;
    this.#usedBy(claim).requests += 1;
  }

  /**
   * Waits until there is memory for the message of a claim, and takes it. False: it was not there within `ms`, or this is
   * closed; nothing is taken. A message that is over a limit goes without other large ones.
   */
  place(claim: Claim, ms: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (isSmall(claim)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        claim,
        end: (placed) => {
          clearTimeout(timer);
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          resolve(placed);
        },
      };
      const timer = setTimeout(() => waiting.end(false), ms);
      this.#waiting.push(waiting);
      this.#letGo();
    });
  }

  /** Nobody who waits for memory gets any, now or later. */
  close(): void {
    this.#closed = true;
    for (const waiting of [...this.#waiting]) waiting.end(false);
    this.wake();
  }

  /** `placed`: what `place` returned for it. */
  end(claim: Claim, placed: boolean): void {
    const used = this.#usedBy(claim);
    used.requests -= 1;
    this.#all.requests -= 1;
    if (placed && !isSmall(claim)) {
      used.bytes -= claim.bytes;
      this.#all.bytes -= claim.bytes;
      this.#letGo();
    }
    if (used.requests === 0) this.#used.delete(claim.endpointId);
    const mayClaimMore = used.requests === BUSY_OVER || this.#all.requests === MOST_REQUESTS - PER_ENDPOINT;
    if (mayClaimMore || this.#all.requests === 0) this.wake();
  }

  /** Ends the wait of `untilMore`, also one that begins later. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Waits until more may be claimed than before or nothing is in flight, `ms` at most. */
  async untilMore(ms: number): Promise<void> {
    if (!this.#woken)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.#woken = false;
  }

  /** Lets those go that fit. One whose endpoint has its share does not stop those behind it; one for whom all is taken does. */
  #letGo(): void {
    for (const waiting of [...this.#waiting]) {
      const { claim } = waiting;
      const used = this.#usedBy(claim);
      if (!fits(this.#all.bytes, claim.bytes, MOST_BYTES.all)) return;
      if (!fits(used.bytes, claim.bytes, MOST_BYTES.ofEndpoint)) continue;
      used.bytes += claim.bytes;
      this.#all.bytes += claim.bytes;
      waiting.end(true);
    }
  }

  #usedBy({ endpointId }: Claim): Used {
    const used = this.#used.get(endpointId) ?? { requests: 0, bytes: 0 };
    this.#used.set(endpointId, used);
    return used;
  }
}

function isSmall({ bytes }: Claim): boolean {
  return bytes <= SMALL_BYTES;
}

function fits(used: number, more: number, most: number): boolean {
  return used === 0 || used + more <= most;
}
