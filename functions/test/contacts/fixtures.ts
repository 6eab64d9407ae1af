import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { type Answer, type ApiStage } from '../../../testing/api-stage.js';
import { until } from '../../../testing/until.js';

/** A user as a caller sends it. */
export interface ContactBody {
  id: string;
  name: string;
  age: number;
  score: number;
  active: boolean;
  country: string;
  team: { id?: number; name: string; leader: boolean; projects: { id?: number; name: string; completed: boolean }[] };
  logs: { id?: number; date: string; action: 'login' | 'logout' }[];
}

/** What the four tables hold of a contact. `projects` and `logs` are in the order of `position`, which stands first. */
interface StoredContact {
  id: string;
  name: string;
  age: number;
  score: number;
  active: boolean;
  country: string;
  team: [name: string, leader: boolean];
  projects: [position: number, name: string, completed: boolean][];
  logs: [position: number, date: string, action: string][];
}

/** The answer of GET, or a problem. */
export interface JobBody {
  status: string;
  message: string;
  timer: number;
  reason?: string;
}

/** The words of the contract, letter by letter. */
export const WORDS = {
  accepted: 'User add to queue successfully, wait for the result.',
  invalid: 'Dados inválidos',
  notTaken: 'Failed to insert a new user into queue, try again.',
  notRead: 'Ocorreu um erro, tenta novamente.',
  invalidJob: 'Invalid job id',
  waiting: 'User not created yet...',
  active: 'User is being created...',
  completed: 'User created sucessfully',
  failed: 'Failed to create user',
} as const;

/** A user that is valid and small, with an id of its own. */
export function someContact(over: Partial<ContactBody> = {}): ContactBody {
  return {
    id: randomUUID(),
    name: 'Ana Maria Souza',
    age: 31,
    score: 87.5,
    active: true,
    country: 'Brasil',
    team: {
      id: 4,
      name: 'Vendas',
      leader: false,
      projects: [
        { id: 9, name: 'Aplicativo', completed: true },
        { name: 'Portal', completed: false },
      ],
    },
    logs: [
      { id: 1, date: '2025-03-01', action: 'login' },
      { date: '2025-03-01', action: 'logout' },
    ],
    ...over,
  };
}

/** Users with ids of their own, each with a name that no other has. */
export function someContacts(count: number): ContactBody[] {
  return Array.from({ length: count }, (_, at) => someContact({ name: `Ana ${at}`, age: at % 151 }));
}

export function post(stage: ApiStage, body: unknown): Promise<Answer> {
  return stage.api('POST', '/api/user', { body });
}

/** Sends a user, which must be accepted, and returns the number of its job. */
export async function added(stage: ApiStage, body: ContactBody): Promise<string> {
  const { status, body: answer } = await post(stage, body);
  if (status !== 202) throw new Error(`${status} ${JSON.stringify(answer)}`);
  return String(answer.job);
}

export function read(stage: ApiStage, job: string, query = ''): Promise<Answer<JobBody>> {
  return stage.api<JobBody>('GET', `/api/user/${job}${query}`);
}

/** The end of a job: its status, and the reason of a failure. */
export async function endOf(stage: ApiStage, job: string): Promise<string> {
  return until(async () => {
    const { status, body } = await read(stage, job, '?wait=30');
    if (status !== 200 || (body.status !== 'completed' && body.status !== 'failed'))
      throw new Error(`job ${job}: ${status} ${JSON.stringify(body)}`);
    return body.reason ? `${body.status} ${body.reason}` : body.status;
  });
}

/** The rows that a user must have. */
export function rowsOf({ id, name, age, score, active, country, team, logs }: ContactBody): StoredContact {
  return {
    id: id.toLowerCase(),
    name,
    age,
    score,
    active,
    country,
    team: [team.name, team.leader],
    projects: team.projects.map((project, at) => [at, project.name, project.completed]),
    logs: logs.map((log, at) => [at, log.date, log.action]),
  };
}

/** What the four tables hold, by the id of the contact. A contact without a team fails. */
export async function storedContacts(stage: ApiStage): Promise<Map<string, StoredContact>> {
  const rows = await stage.sql<StoredContact>(
    `SELECT id, c.name, age, score, active, country, json_build_array(t.name, t.leader) AS team,
            (SELECT coalesce(json_agg(json_build_array(p.position, p.name, p.completed) ORDER BY p.position), '[]')
               FROM contact_projects p WHERE p.job = c.job) AS projects,
            (SELECT coalesce(json_agg(json_build_array(l.position, to_char(l.date, 'YYYY-MM-DD'), l.action) ORDER BY l.position), '[]')
               FROM contact_logs l WHERE l.job = c.job) AS logs
       FROM contacts c LEFT JOIN contact_teams t ON t.job = c.job`,
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** The rows of one contact; undefined when there is none. */
export async function stored(stage: ApiStage, { id }: ContactBody): Promise<StoredContact | undefined> {
  return (await storedContacts(stage)).get(id.toLowerCase());
}

/** Contacts without a team, and rows of the other tables without a contact, over the whole tables. */
export async function orphans(stage: ApiStage): Promise<number> {
  const [row] = await stage.sql<{ count: number }>(
    `SELECT ((SELECT count(*) FROM contacts c WHERE NOT EXISTS (SELECT FROM contact_teams t WHERE t.job = c.job)) +
             (SELECT count(*) FROM contact_teams t WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.job = t.job)) +
             (SELECT count(*) FROM contact_projects p WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.job = p.job)) +
             (SELECT count(*) FROM contact_logs l WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.job = l.job)))::int AS count`,
  );
  return row?.count ?? -1;
}

/**
 * Holds processing: the next worker that stores a contact waits, in the middle of its transaction, until `release`. Jobs that
 * this worker has taken are `active`; a process has one worker, so jobs that come later stay `waiting`.
 */
export async function holdProcessing(stage: ApiStage): Promise<{ release(): Promise<void> }> {
  const client: PoolClient = await stage.stores.pool.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE');
  let held = true;
  return {
    release: async () => {
      if (!held) return;
      held = false;
      await client.query('COMMIT');
      client.release();
    },
  };
}

/** Waits until the worker of a process is held by holdProcessing. */
export async function untilWorkerWaits(stage: ApiStage): Promise<void> {
  await stage.until(
    async () =>
      (
        await stage.sql(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%process_contacts%'`,
        )
      ).length > 0,
    'a worker waits',
  );
}
