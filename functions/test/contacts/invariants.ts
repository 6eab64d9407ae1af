import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { ContactBody } from './fixtures.js';
import { REFUSED } from './simulation.js';

/** The lines of each batch, by its id. */
export type Sent = Map<string, string[]>;

/** What was seen so far: batches that were begun and when they were done, the ends of jobs, every content that was stored under an id, and the ids that were forgotten. */
export interface Seen {
  begun: Set<string>;
  done: Map<string, string>;
  ends: Map<string, string>;
  stored: Map<string, Set<string>>;
  forgotten: Set<string>;
}

/** What is committed. */
export interface Tables {
  batches: { id: string; started: boolean; done: string | null; failed: Record<string, string> }[];
  contacts: { job: string; id: string; content: string; parts: [teams: number, projects: number, logs: number] }[];
  /** Jobs that have parts. */
  jobs: string[];
}

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'contacts',
    text: `SELECT
      (SELECT coalesce(json_agg(json_build_object('id', id::text, 'started', started_at IS NOT NULL, 'done', done_at,
         'failed', failed)), '[]') FROM contact_batches) AS batches,
      (SELECT coalesce(json_agg(json_build_object('job', job::text, 'id', id, 'content', encode(content, 'hex'), 'parts', json_build_array(
         (SELECT count(*) FROM contact_teams t WHERE t.job = c.job), (SELECT count(*) FROM contact_projects p WHERE p.job = c.job),
         (SELECT count(*) FROM contact_logs l WHERE l.job = c.job)))), '[]') FROM contacts c) AS contacts,
      (SELECT coalesce(json_agg(job::text), '[]') FROM (SELECT job FROM contact_teams UNION SELECT job FROM contact_projects
         UNION SELECT job FROM contact_logs) AS part) AS jobs`,
  });
  const [tables] = rows;
  if (!tables) throw new Error('no row');
  return tables;
}

const hash = (line: string) => createHash('sha256').update(line).digest('hex');

/** Throws what does not hold. Remembers what it saw for the next time. */
export function assertTables(tables: Tables, sent: Sent, seen: Seen): void {
  const { batches, contacts } = tables;
  for (const { id, content } of contacts) seen.stored.set(id, (seen.stored.get(id) ?? new Set()).add(content));
  for (const { id, started } of batches) {
    if (started) seen.begun.add(id);
    else if (seen.begun.has(id)) throw new Error(`batch ${id} was begun, and is not now`);
  }
  const done = batches.filter((batch) => batch.done !== null);
  for (const { id, done: at } of done) {
    if (seen.done.has(id) && seen.done.get(id) !== at) throw new Error(`batch ${id} is done a second time`);
    seen.done.set(id, String(at));
  }
  const lines = new Map(
    done.flatMap(({ id }) => (sent.get(id) ?? []).map((line, at) => [String(BigInt(id) * 1_000n + BigInt(at)), line])),
  );
  const failed = new Map(done.flatMap((batch) => Object.entries(batch.failed)));
  assertRows(tables, lines, failed);
  assertEnds(lines, failed, seen);
}

/** Each row belongs to a job that is done and did not fail, and all its rows are there. */
function assertRows({ contacts, jobs }: Tables, lines: Map<string, string>, failed: Map<string, string>): void {
  for (const { job, id, content, parts } of contacts) {
    const line = lines.get(job);
    if (line === undefined) throw broken(job, 'stored, and its batch is not done');
    if (failed.has(job)) throw broken(job, 'stored, and failed', line);
    const { team, logs } = JSON.parse(line) as ContactBody;
    if (parts.join() !== [1, team.projects.length, logs.length].join()) throw broken(job, `has parts ${parts}`, line);
    if (content !== hash(line)) throw broken(job, 'stored with another content', line);
    const lower = [...lines].some(
      ([other, line]) =>
        isOfBatch(other, job) && BigInt(other) < BigInt(job) && !isRefusal(failed.get(other)) && idOf(line) === id,
    );
    if (lower) throw broken(job, 'stored in place of a lower job of its batch', line);
  }
  const orphan = jobs.find((job) => !contacts.some((contact) => contact.job === job));
  if (orphan) throw broken(orphan, 'has parts and no contact');
}

/** Each end was right when it was first seen, and stays. A contact that is forgotten later takes nothing back. */
function assertEnds(lines: Map<string, string>, failed: Map<string, string>, seen: Seen): void {
  const gone = [...seen.ends.keys()].find((job) => !lines.has(job));
  if (gone) throw broken(gone, 'had an end, and has none now');
  for (const [job, line] of lines) {
    const end = failed.get(job) ?? 'completed';
    const before = seen.ends.get(job);
    if (before !== undefined && before !== end) throw broken(job, `ended as ${before}, and now ${end}`, line);
    if (before === undefined) assertEnd(job, line, end, seen);
    seen.ends.set(job, end);
  }
}

function assertEnd(job: string, line: string, end: string, seen: Seen): void {
  const stored = seen.stored.get(idOf(line)) ?? new Set();
  const ends = isRefused(line) ? ['refused_by_store:23514', 'conflict'] : ['completed', 'conflict'];
  if (!ends.includes(end)) throw broken(job, `ended as ${end}`, line);
  if (isRefusal(end)) return;
  const isHeld = stored.has(hash(line));
  if (end === 'completed' && !isHeld) throw broken(job, 'completed, and its content is not stored', line);
  // A content that is forgotten may be sent again, and conflict then.
  if (end === 'conflict' && (stored.size === 0 || (isHeld && !seen.forgotten.has(idOf(line)))))
    throw broken(job, 'a conflict with nothing', line);
}

const broken = (job: string, sentence: string, line = '') => new Error(`job ${job}: ${sentence}: ${line}`);
const idOf = (line: string) => (JSON.parse(line) as ContactBody).id;
const isRefused = (line: string) => (JSON.parse(line) as ContactBody).name === REFUSED;
const isRefusal = (end: string | undefined) => end?.startsWith('refused') === true;
const isOfBatch = (job: string, other: string) => job.slice(0, -3) === other.slice(0, -3);
