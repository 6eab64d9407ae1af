import type { Target } from './connection.js';

/** How long a server may keep a request for a job that has not ended. */
export const WAIT_S = 30;

/** What one process of the loader has to do. */
export interface Share {
  seed: number;
  /** The users `first` to `first + users - 1` of the seed. */
  first: number;
  users: number;
  /** Open before the first request. They are spread over the targets, which are one server. */
  sockets: number;
  targets: Target[];
  /** Each socket sends one user and follows its job; it is never opened again. */
  oneEach: boolean;
  /** Whether each job is followed to its end. */
  follow: boolean;
  /** How long opening may take in all, one answer, and everything from the first request on. */
  openMs: number;
  answerMs: number;
  totalMs: number;
}

/** How far a share is, in users. */
export interface Standing {
  accepted: number;
  completed: number;
  failed: number;
}

/** Sockets that are open now, and why the others are not, counted by the reason. */
export interface Look {
  open: number;
  notOpen: Counts;
}

/** How often each word was said. */
export type Counts = Record<string, number>;

/** What became of each user of a share, in their order. Times are `clockMs()`; NaN where it did not happen. */
export interface ShareResult {
  firstSentAt: number;
  /** Sockets that were open right before the first request. */
  open: number;
  /** The POST that was accepted, from the first byte written to the last byte read. */
  latencyMs: Float64Array;
  acceptedAt: Float64Array;
  endedAt: Float64Array;
  /** Answers of POST by status, those that were repeated too. */
  answers: Counts;
  /** POSTs that were sent again, as a 503 had asked for. */
  repeated: number;
  /** What is wrong, in words. */
  problems: Counts;
}

/** Milliseconds of a clock that all processes of the machine share and nobody sets. */
export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Adds to the count of a word. */
export function count(counts: Counts, word: string, by = 1): void {
  counts[word] = (counts[word] ?? 0) + by;
}

/** Adds counts to others. */
export function addCounts(to: Counts, from: Counts): void {
  for (const [word, by] of Object.entries(from)) count(to, word, by);
}
