import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { ContactBody } from './fixtures.js';
import { REFUSED } from './simulation.js';

/** The lines of each batch, by its id. */
export type Sent = Map<string, string[]>;

/** What was seen so far: the ends of jobs, every content that was stored under an id, and the ids that were forgotten. */
export interface Seen {
  ends: Map<string, string>;
  stored: Map<string, Set<string>>;
  forgotten: Set<string>;
}

/** What is committed. */
export interface Tables {
  batches: { id: string; started: boolean; done: boolean; failed: Record<string, string> }[];
  contacts: { job: string; id: string; content: string; parts: [teams: number, projects: number, logs: number] }[];
  /** Jobs that have parts. */
  jobs: string[];
}

/** In one statement and so in one snapshot. */
export async function readTables(client: pg.Client): Promise<Tables> {
  const { rows } = await client.query<Tables>({
    name: 'contacts',
    text: `SELECT
      (SELECT coalesce(json_agg(json_build_object('id', id::text, 'started', started_at IS NOT NULL, 'done', done_at IS NOT NULL,
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
export function assertEnds({ batches, contacts, jobs }: Tables, sent: Sent, seen: Seen): void {
  for (const { id, content } of contacts) seen.stored.set(id, (seen.stored.get(id) ?? new Set()).add(content));
  const done = batches.filter((batch) => batch.done);
  const lines = new Map(
    done.flatMap(({ id }) => (sent.get(id) ?? []).map((line, at) => [String(BigInt(id) * 1_000n + BigInt(at)), line])),
  );
  const failed = new Map(done.flatMap((batch) => Object.entries(batch.failed)));
  const broken = (job: string, sentence: string) => new Error(`job ${job}: ${sentence}: ${lines.get(job)}`);

  for (const { job, id, content, parts } of contacts) {
    const line = lines.get(job);
    if (line === undefined) throw broken(job, 'stored, and its batch is not done');
    if (failed.has(job)) throw broken(job, 'stored, and failed');
    const { team, logs } = JSON.parse(line) as ContactBody;
    if (parts.join() !== [1, team.projects.length, logs.length].join()) throw broken(job, `stored with parts ${parts}`);
    if (content !== hash(line)) throw broken(job, 'stored with another content');
    const lower = [...lines].some(
      ([other, line]) =>
        isOfBatch(other, job) && BigInt(other) < BigInt(job) && !failed.has(other) && idOf(line) === id,
    );
    if (lower) throw broken(job, 'stored in place of a lower job of its batch');
  }
  const orphan = jobs.find((job) => !contacts.some((contact) => contact.job === job));
  if (orphan) throw broken(orphan, 'has parts and no contact');

  for (const [job, line] of lines) {
    const end = failed.get(job) ?? 'completed';
    if (end !== (seen.ends.get(job) ?? end)) throw broken(job, `ended as ${seen.ends.get(job)}, and now ${end}`);
    if (!seen.ends.has(job)) assertEnd(job, line, end);
    seen.ends.set(job, end);
  }

  /** At the first look after the end: a contact that is forgotten later takes nothing back. */
  function assertEnd(job: string, line: string, end: string): void {
    const stored = seen.stored.get(idOf(line)) ?? new Set();
    const ends = isRefused(line) ? ['refused_by_store:23514', 'conflict'] : ['completed', 'conflict'];
    if (!ends.includes(end)) throw broken(job, `ended as ${end}`);
    if (end.startsWith('refused') || seen.forgotten.has(idOf(line))) return;
    const isHeld = stored.has(hash(line));
    if (end === 'completed' && !isHeld) throw broken(job, 'completed, and its content is not stored');
    if (end === 'conflict' && (isHeld || stored.size === 0)) throw broken(job, 'a conflict with nothing');
  }
}

const idOf = (line: string) => (JSON.parse(line) as ContactBody).id;
const isRefused = (line: string) => (JSON.parse(line) as ContactBody).name === REFUSED;
const isOfBatch = (job: string, other: string) => job.slice(0, -3) === other.slice(0, -3);
