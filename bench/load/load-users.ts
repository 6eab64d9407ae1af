import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from '../../testing/process.js';
import type { Target } from './process/connection.js';
import {
  addCounts,
  type Counts,
  count,
  type Look,
  type Share,
  type ShareResult,
  type Standing,
  WAIT_S,
} from './process/share.js';
import type { Order, Report } from './process/worker.js';

/** What to load, and how. */
export interface LoadOptions {
  /** How many users, made up from the seed: the same for the same seed. */
  users: number;
  seed: number;
  /** How many sockets are open before the first request, and how many processes share them. */
  sockets: number;
  processes?: number;
  /** Addresses of one server. */
  targets: Target[];
  /** Each socket sends one user and follows its job; there must be as many sockets as users. */
  oneEach?: boolean;
  /** Whether each job is followed to its end; true by default. A server that only accepts has no ends. */
  follow?: boolean;
  /** How long a server may take for one answer. */
  answerMs?: number;
  /** Called with what is reached so far, some times a second. */
  standing?: (standing: Standing) => void;
  /** Called when all sockets are open, before the first request. What it throws ends the load. */
  opened?: (look: Look) => Promise<void>;
  signal?: AbortSignal;
}

/** What became of a load. Arrays have an entry for each user; NaN where it did not happen. */
export interface LoadFigures {
  users: number;
  /** How many sockets were open at the same moment, right before the first request. */
  openAtOnce: number;
  /** The POST that was accepted, from the first byte written to the last byte read, in milliseconds. */
  latencyMs: Float64Array;
  /** When it was accepted, and when its job was seen completed or failed, in milliseconds since the first request. */
  acceptedMs: Float64Array;
  endedMs: Float64Array;
  /** Answers of POST by status, those that were repeated too. */
  answers: Counts;
  /** POSTs that were sent again, as a 503 had asked for. */
  repeated: number;
  /** What is wrong, in words, and how often. Empty: every user was accepted and every job completed. */
  problems: Counts;
}

const ANSWER_MS = 60_000;
/** A server on a busy machine accepts more users, and opens more sockets, a second than this. */
const SLOWEST = 250;
const SETTLE_MS = 1_000;
/** Rounds of opening, in all and without a socket more. */
const MOST_ROUNDS = 20;
const MOST_FRUITLESS = 2;
/** How long a process of ours may take beyond the time that it was given. */
const SLACK_MS = 15_000;

/** Sends users to a server over many sockets at once and follows each job to its end. Always ends by itself. */
export async function loadUsers(options: LoadOptions): Promise<LoadFigures> {
  const shares = sharesOf(options);
  const workers = shares.map((share) => new Worker(share));
  const stop = () => {
    for (const worker of workers) worker.kill();
  };
  options.signal?.addEventListener('abort', stop);
  try {
    const look = await opened(workers, options);
    await options.opened?.(look);
    options.signal?.throwIfAborted();
    const heard = () => options.standing?.(sum(workers.map(({ standing }) => standing)));
    const results = await Promise.all(workers.map((worker) => worker.run(heard)));
    options.signal?.throwIfAborted();
    return figuresOf(options, results, shares);
  } finally {
    options.signal?.removeEventListener('abort', stop);
    stop();
  }
}

/**
 * Opens all sockets. A server that takes them slower than they come closes some (its kernel's queue, or its descriptors):
 * these are opened again, as long as that helps.
 */
async function opened(workers: readonly Worker[], { sockets, oneEach }: LoadOptions): Promise<Look> {
  for (let round = 1, best = 0, fruitless = 0; ; round++) {
    await Promise.all(workers.map((worker) => worker.open()));
    // It closes them a moment later.
    if (oneEach) await delay(SETTLE_MS);
    const look = merged(await Promise.all(workers.map((worker) => worker.look())));
    fruitless = look.open > best ? 0 : fruitless + 1;
    best = Math.max(best, look.open);
    if (look.open === sockets || fruitless === MOST_FRUITLESS || round === MOST_ROUNDS) return look;
  }
}

function sharesOf(options: LoadOptions): Share[] {
  const { users, sockets, processes = 1, targets, seed, answerMs } = options;
  const { oneEach = false, follow = true } = options;
  if (oneEach && users !== sockets) throw new Error('a bug: a socket each, and not as many as users');
  const at = (whole: number, part: number) => Math.floor((whole * part) / processes);
  const openMs = ANSWER_MS + (sockets / SLOWEST) * 1_000;
  // Where all are sent at once, the last one waits for all others.
  const oneMs = answerMs ?? ANSWER_MS + (oneEach ? (users / SLOWEST) * 1_000 : 0);
  const totalMs = 2 * oneMs + WAIT_S * 1_000 + (users / SLOWEST) * 2_000;
  const common = { seed, targets, oneEach, follow, openMs, answerMs: oneMs, totalMs };
  return Array.from({ length: processes }, (_, part) => {
    const [first, firstSocket] = [at(users, part), at(sockets, part)];
    return {
      ...common,
      first,
      users: at(users, part + 1) - first,
      sockets: at(sockets, part + 1) - firstSocket,
    };
  });
}

/** One process of the loader. When it dies, what it should have reported is undefined. */
class Worker {
  standing: Standing = { accepted: 0, completed: 0, failed: 0 };
  readonly #child: ChildProcess;
  #ended: string | undefined;

  constructor(private readonly share: Share) {
    // Structured clones, as JSON knows no typed arrays.
    this.#child = fork(join(ROOT, 'dist', 'bench', 'load', 'process', 'worker.js'), { serialization: 'advanced' });
    this.#child.on('error', () => {});
    this.#child.once('exit', (code, signal) => {
      this.#ended = `a process of the loader ended (${signal ?? `code ${code}`})`;
    });
  }

  async open(): Promise<void> {
    await this.#reported('opened', { kind: 'open', share: this.share }, this.share.openMs);
  }

  async look(): Promise<Look> {
    const report = await this.#reported('look', { kind: 'look' }, 0);
    return report?.look ?? { open: 0, notOpen: { [this.#why()]: this.share.sockets } };
  }

  async run(heard: () => void): Promise<ShareResult | string> {
    const hear = (report: Report) => {
      if (report.kind !== 'standing') return;
      this.standing = report.standing;
      heard();
    };
    this.#child.on('message', hear);
    const report = await this.#reported('result', { kind: 'run' }, this.share.totalMs);
    this.#child.off('message', hear);
    return report?.result ?? this.#why();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #why(): string {
    return this.#ended ?? 'a process of the loader does not answer';
  }

  /** Gives an order and waits for its report. Undefined: the process ended, or the time was over. */
  #reported<K extends Report['kind']>(
    kind: K,
    order: Order,
    withinMs: number,
  ): Promise<Extract<Report, { kind: K }> | undefined> {
    const child = this.#child;
    return new Promise((resolve) => {
      const end = (report?: Extract<Report, { kind: K }>) => {
        clearTimeout(timer);
        child.off('message', hear).off('exit', gone);
        resolve(report);
      };
      const gone = () => end();
      const hear = (report: Report) => {
        if (isOf(report, kind)) end(report);
      };
      const timer = setTimeout(gone, withinMs + SLACK_MS);
      child.on('message', hear).once('exit', gone);
      if (this.#ended) end();
      else child.send(order, (error) => error && end());
    });
  }
}

function isOf<K extends Report['kind']>(report: Report, kind: K): report is Extract<Report, { kind: K }> {
  return report.kind === kind;
}

function sum(all: readonly Standing[]): Standing {
  const add = (one: Standing, other: Standing): Standing => ({
    accepted: one.accepted + other.accepted,
    completed: one.completed + other.completed,
    failed: one.failed + other.failed,
  });
  return all.reduce(add, { accepted: 0, completed: 0, failed: 0 });
}

function merged(looks: readonly Look[]): Look {
  const all: Look = { open: 0, notOpen: {} };
  for (const { open, notOpen } of looks) {
    all.open += open;
    addCounts(all.notOpen, notOpen);
  }
  return all;
}

function figuresOf(
  { users }: LoadOptions,
  results: readonly (ShareResult | string)[],
  shares: readonly Share[],
): LoadFigures {
  const none = () => new Float64Array(users).fill(Number.NaN);
  const times = { latencyMs: none(), acceptedMs: none(), endedMs: none() };
  const figures: LoadFigures = { users, openAtOnce: 0, ...times, answers: {}, repeated: 0, problems: {} };
  const begun = Math.min(...results.map((result) => (typeof result === 'string' ? Infinity : result.firstSentAt)));
  for (const [part, result] of results.entries()) {
    const { first = 0, users: own = 0 } = shares[part] ?? {};
    if (typeof result === 'string') {
      count(figures.problems, `no result, ${result}`, own);
      continue;
    }
    figures.latencyMs.set(result.latencyMs, first);
    figures.acceptedMs.set(
      result.acceptedAt.map((at) => at - begun),
      first,
    );
    figures.endedMs.set(
      result.endedAt.map((at) => at - begun),
      first,
    );
    figures.openAtOnce += result.open;
    addCounts(figures.answers, result.answers);
    addCounts(figures.problems, result.problems);
    figures.repeated += result.repeated;
  }
  return figures;
}
