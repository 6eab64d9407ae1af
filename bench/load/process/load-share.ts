import { setTimeout as delay } from 'node:timers/promises';
import { userAt } from '../users.js';
import type { Answer } from './answer.js';
import { NoAnswer } from './connection.js';
import { clockMs, count, type Look, type Share, type ShareResult, type Standing, WAIT_S } from './share.js';
import { MOST_FAILURES, Sockets } from './sockets.js';

const MOST_RETRY_S = 60;
const MOST_DOUBLINGS = 4;
/** Of one user: a server that is never free again must not hold the run. */
const MOST_REPEATS = 300;
/** A server with too many waiting callers answers `wait` at once. Asked again at once, it would do nothing else. */
const FIRST_LOOK_MS = 1_000;
const LAST_LOOK_MS = 8_000;

/** An accepted user and the job to follow. */
interface Accepted {
  user: number;
  job: string;
}

/** One process's part of a load: opens its sockets, sends its users over them, follows each job to its end. */
export class LoadShare {
  readonly standing: Standing = { accepted: 0, completed: 0, failed: 0 };
  readonly #result: ShareResult;
  readonly #bodies: Buffer[];
  readonly #sockets: Sockets;
  #next = 0;
  #stopAt = Number.POSITIVE_INFINITY;

  constructor(private readonly share: Share) {
    const { seed, first, users, sockets, targets, oneEach } = share;
    const none = () => new Float64Array(users).fill(Number.NaN);
    const times = { latencyMs: none(), acceptedAt: none(), endedAt: none(), firstSentAt: Number.NaN };
    this.#result = { ...times, open: 0, answers: {}, repeated: 0, problems: {} };
    this.#bodies = Array.from({ length: users }, (_, at) => Buffer.from(JSON.stringify(userAt(seed, first + at))));
    this.#sockets = new Sockets(sockets, targets, !oneEach);
  }

  /** Opens the sockets that are not open. Ends after `openMs` at the latest. */
  async open(): Promise<void> {
    await this.#sockets.open(this.share.openMs);
  }

  look(): Look {
    return this.#sockets.look();
  }

  /** Sends every user and follows every job. Ends soon after `totalMs` at the latest, whatever the server does. */
  async run(): Promise<ShareResult> {
    const { users, sockets, totalMs } = this.share;
    this.#result.open = this.look().open;
    this.#result.firstSentAt = clockMs();
    this.#stopAt = this.#result.firstSentAt + totalMs;
    await Promise.all(Array.from({ length: sockets }, (_, slot) => this.#work(slot)));
    if (this.#next < users) this.#wrong('POST: not sent', users - this.#next);
    this.#sockets.close();
    return this.#result;
  }

  async #work(slot: number): Promise<void> {
    const { users, oneEach, follow } = this.share;
    const jobs: Accepted[] = [];
    for (let silent = 0; silent < MOST_FAILURES; ) {
      // With a socket each, a closed one still takes its user: what became of that is then said.
      if (!oneEach && !(await this.#isOpen(slot))) break;
      if (this.#next >= users) break;
      const user = this.#next++;
      const answer = await this.#post(slot, user);
      silent = answer ? 0 : silent + 1;
      const job = answer && this.#jobOf(answer);
      if (job !== undefined) jobs.push({ user, job });
      if (oneEach) break;
    }
    if (follow) for (const accepted of jobs) await this.#follow(slot, accepted);
  }

  /** Posts a user, again when a 503 asks for it. Returns the last answer; undefined where there was none. */
  async #post(slot: number, user: number): Promise<Answer | undefined> {
    const { answers, latencyMs, acceptedAt } = this.#result;
    const body = this.#bodies[user] as Buffer;
    try {
      for (let repeats = 0; ; repeats++) {
        const begun = clockMs();
        const answer = await this.#sockets.ask(slot, 'POST', '/api/user', body, this.#within(this.share.answerMs));
        count(answers, String(answer.status));
        if (answer.status === 202) {
          acceptedAt[user] = clockMs();
          latencyMs[user] = (acceptedAt[user] as number) - begun;
          this.standing.accepted++;
          return answer;
        }
        const may = answer.status === 503 && repeats < MOST_REPEATS && (await this.#pause(answer, repeats));
        if (!may || !(await this.#isOpen(slot))) return answer;
        this.#result.repeated++;
      }
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.#wrong(`POST: no answer, ${error.message}`);
      return undefined;
    }
  }

  #jobOf(answer: Answer): string | undefined {
    const { job } = parsed(answer);
    if (answer.status !== 202) this.#wrong(`POST: answered ${inWords(answer)}`);
    else if (typeof job === 'string' && /^\d{1,16}$/.test(job)) return job;
    else this.#wrong('POST: answered 202 without a job');
    return undefined;
  }

  /** Asks for a job until it has ended. */
  async #follow(slot: number, { user, job }: Accepted): Promise<void> {
    let last = clockMs() < this.#stopAt ? 'the server takes no connection' : 'the time is over';
    for (let failures = 0, busy = 0, look = FIRST_LOOK_MS; await this.#isOpen(slot); ) {
      const begun = clockMs();
      const asked = await this.#state(slot, job).catch((error: Error) => error);
      if (asked instanceof Error) {
        if (!(asked instanceof NoAnswer)) throw asked;
        last = `no answer, ${asked.message}`;
        // A GET changes nothing, so it may be sent again.
        if (++failures >= MOST_FAILURES) break;
        continue;
      }
      failures = 0;
      if (asked.status === 503 && (await this.#pause(asked, busy++))) continue;
      const { status, reason } = parsed(asked);
      if (asked.status !== 200) return this.#wrong(`GET: answered ${inWords(asked)}`);
      if (status === 'completed' || status === 'failed') {
        this.#result.endedAt[user] = clockMs();
        this.standing[status]++;
        if (status === 'failed') this.#wrong(`job failed, ${reason}`);
        return;
      }
      last = `the last state seen was ${status}`;
      if (clockMs() - begun >= FIRST_LOOK_MS) continue;
      await delay(Math.min(look * (0.75 + Math.random() / 2), this.#within(look * 2)));
      look = Math.min(look * 2, LAST_LOOK_MS);
    }
    this.#wrong(`GET: not seen to its end, ${last}`);
  }

  #state(slot: number, job: string): Promise<Answer> {
    const ms = this.#within(this.share.answerMs + WAIT_S * 1_000);
    return this.#sockets.ask(slot, 'GET', `/api/user/${job}?wait=${WAIT_S}`, undefined, ms);
  }

  #isOpen(slot: number): Promise<boolean> {
    return this.#sockets.isOpen(slot, this.#stopAt, this.share.answerMs);
  }

  /** Milliseconds, cut where the whole run ends. */
  #within(ms: number): number {
    return Math.max(0, Math.min(ms, this.#stopAt - clockMs()));
  }

  /**
   * Waits as long as the answer asks for, and with each refusal in a row up to twice as long, some clients longer than
   * others: 100,000 that came back at the same moment would be refused again. False where it does not ask, or the run ends
   * before.
   */
  async #pause({ headers }: Answer, refusals: number): Promise<boolean> {
    const seconds = Number(headers['retry-after'] || Number.NaN);
    if (!(seconds >= 0)) return false;
    const longer = 1 + Math.random() * 2 ** Math.min(refusals, MOST_DOUBLINGS);
    const ms = Math.min(seconds, MOST_RETRY_S) * 1_000 * longer;
    if (this.#within(ms) < ms) return false;
    await delay(ms);
    return true;
  }

  #wrong(problem: string, by = 1): void {
    count(this.#result.problems, problem, by);
  }
}

function parsed({ body }: Answer): Record<string, unknown> {
  try {
    return Object(JSON.parse(body)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function inWords(answer: Answer): string {
  const { code } = parsed(answer);
  return typeof code === 'string' ? `${answer.status} ${code}` : String(answer.status);
}
