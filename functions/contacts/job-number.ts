/** Lines of a batch, at most. */
const LINES = 1_000n;
const NUMBER = /^\d{1,16}$/;

/** A job: a line of a batch. `job` is its number without leading zeros. */
export interface Job {
  job: string;
  batch: string;
  line: number;
}

/** The number of the job that is a line, from 0, of a batch. */
export function jobOf(batch: bigint, line: number): string {
  return String(batch * LINES + BigInt(line));
}

/** The job that a text names; undefined when it cannot be a number of a job. */
export function parseJob(text: string): Job | undefined {
  if (!NUMBER.test(text)) return undefined;
  const job = BigInt(text);
  return { job: String(job), batch: String(job / LINES), line: Number(job % LINES) };
}
