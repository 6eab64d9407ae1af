import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigurationError, findRoot } from '@disparo/contract';

/** The migrations as they stand in the clone or the image. */
export interface MigrationFiles {
  folder: string;
  /** In the order in which they run. */
  names: string[];
  /** The tables and views that they make. */
  relations: string[];
}

const DOWN = /^-- Down Migration/m;
const MADE = /^CREATE (?:TABLE|VIEW) (\w+)/gm;

/** Reads the migrations. Throws ConfigurationError outside of a clone. */
export function migrationFiles(): MigrationFiles {
  const root = findRoot(dirname(fileURLToPath(import.meta.url))) ?? findRoot();
  if (!root)
    throw new ConfigurationError('DATABASE_URL', 'infra/postgres/migrations is not found: run inside the clone');
  const folder = join(root, 'infra', 'postgres', 'migrations');
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'));
  const up = files.map((file) => readFileSync(join(folder, file), 'utf8').split(DOWN)[0] ?? '');
  return {
    folder,
    names: files.map((file) => file.replace(/\.sql$/, '')).sort(),
    relations: up.flatMap((sql) => [...sql.matchAll(MADE)].map(([, name = '']) => name)),
  };
}
