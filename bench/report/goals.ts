import type { LanguageName } from '@disparo/contract/languages';

/** A ratio that is wanted, and whether it was met. Undefined `met`: this machine or this run cannot tell. */
export interface Goal {
  wanted: string;
  met: boolean | undefined;
}

/** The goals of a drain apply from this size on: below it the start of the loop weighs too much. */
export const JUDGED_FROM = 100_000;
/** The size at which the time from first byte to `enviado` is judged. */
export const WHOLE = 1_000_000;

/** The goals of contacts apply from this number of users on: below it a new process spends its time on compiling. */
export const CONTACTS_JUDGED_FROM = 10_000;
/** The goals of events apply from this number of messages on, for the same reason. */
export const EVENTS_JUDGED_FROM = 10_000;

/** The goals of Pix apply from this number of messages on. */
export const PIX_JUDGED_FROM = 10_000;

/** The goals of billing apply from this number of lines on; that of its whole time to WHOLE. */
export const BILLING_JUDGED_FROM = 100_000;
/** That of its mails applies from this number of mails on: before, the start of a process is most of it. */
export const MAILS_JUDGED_FROM = 1_000;

/** What is wanted; what each figure means is in bench/README.md. */
export const WANTED = {
  shareOfM: { rust: 0.6, go: 0.45, typescript: 0.25 } satisfies Record<LanguageName, number>,
  timesNaive: 40,
  naiveUploads: 20,
  timesDrain: 1.4,
  apiAboveIdleMb: 250,
  steepest: 1.25,
  twoPartitions: 1.6,
  /** The most that /api/health may take while a file is read, at the 99th percentile. */
  healthMs: 250,
  /** Of contacts: accepted a second, against the same app without a database and with an INSERT a request. */
  shareOfNoDatabase: 0.8,
  timesInsertEach: 2.5,
  /** Of contacts: first accept to last end, against the same load without a database. */
  timesNoDatabase: 1.8,
  /** Of contacts: rows a second of a drain, against COPY. */
  shareOfCopy: 0.4,
  /** Of events: messages a second, against one plain INSERT and one acknowledgement each. */
  timesPlainInsert: 8,
  /** Of Pix: messages a second over HTTP, against pix_read on as many connections. */
  shareOfRead: { 1: 0.4, 6: 0.35 },
  /** Of Pix: messages a second of pix_read, against the claim alone. */
  shareOfClaim: 0.4,
  /** Of Pix: from the answer of the POST of a message until a poll of another process is answered, at the 95th percentile. */
  wakeMs: 30,
  /** Of Pix: seconds in which so many messages are made. */
  madeS: { 2000: 1, 1000000: 60 },
  /** Of billing: a file over HTTP until it is merged, against COPY and INSERT; the same file again, against the first time. */
  timesCopied: 1.5,
  timesFirst: 1,
  /** Of billing: seconds for a million lines, and the memory of the server meanwhile. */
  importS: 60,
  importMb: 300,
  /** Of billing: mails with a PDF a second, against PDFs alone. */
  shareOfDrawn: 0.3,
} as const;

/** Two consumers, mongod and the rest need one core each. */
export const CORES_FOR_TWO = 4;
