import { readEnvironment, textKey } from '@disparo/contract';
import pg from 'pg';
import type { Services } from '../../../services/bring-up.js';
import { CommandError } from '../../../services/command-error.js';
import { inDatabase } from '../../../services/place.js';
import { createDatabase } from '../../../services/postgres.js';

const DATABASE = 'disparo_demo';
/** As PostgreSQL says that a user may not. */
const MAY_NOT = '42501';

export type Urls = Services['urls'] & { QUEUE_PREFIX: string };

/**
 * The URLs and the prefix of the demo: databases and queues other than those of `npm start`, so that neither disturbs the
 * other. In services that were given from outside only the queues are the demo's own.
 */
export async function ownStores({ urls, own }: Services): Promise<Urls> {
  const inOwn = (variable: keyof Services['urls']) =>
    own.has(variable) ? inDatabase(urls[variable], DATABASE) : urls[variable];
  const prefix = textKey(readEnvironment(), 'QUEUE_PREFIX');
  const DATABASE_URL = inOwn('DATABASE_URL');
  if (own.has('DATABASE_URL')) await createDatabase(DATABASE_URL);
  return {
    DATABASE_URL,
    MONGODB_URL: inOwn('MONGODB_URL'),
    RABBITMQ_URL: urls.RABBITMQ_URL,
    QUEUE_PREFIX: `${prefix}.demo`,
  };
}

/**
 * The tables of a demo that sends something: in a database of this name, or in one that was given from outside in a schema of
 * this name. It must not send what others there are owed: webhooks to private addresses, mails to a catcher. Throws CommandError.
 */
export async function ownTables({ urls, own }: Services, name = DATABASE): Promise<string> {
  const url = urls.DATABASE_URL;
  if (!own.has('DATABASE_URL')) return ownSchema(url, name);
  const DATABASE_URL = inDatabase(url, name);
  await createDatabase(DATABASE_URL);
  return DATABASE_URL;
}

async function ownSchema(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // First, since PostgreSQL asks for the right to make one even where it is there.
    const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS ${name}`);
  } catch (error) {
    if ((error as { code?: string }).code !== MAY_NOT) throw error;
    throw new CommandError(
      `DATABASE_URL: this demo keeps its tables apart from yours, in a schema ${name}, which this user may not create: CREATE SCHEMA ${name} AUTHORIZATION, or GRANT CREATE ON DATABASE`,
    );
  } finally {
    await client.end();
  }
  const [server = '', query] = url.split('?');
  const options = new URLSearchParams(query);
  options.set('options', `${options.get('options') ?? ''} -c search_path=${name}`.trim());
  return `${server}?${options.toString().replaceAll('+', '%20')}`;
}
