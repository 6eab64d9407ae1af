import type { ImportRow } from './imports.repository.js';
import type { ImportView } from './imports.schemas.js';

/** What an answer says of an import. Status and percent are computed from the counters, so that they cannot contradict them. */
export function viewOf(row: Omit<ImportRow, 'import_no'>): ImportView {
  const { accepted, waiting } = row;
  return {
    id: row.id,
    company_id: row.company_id,
    file_name: row.file_name,
    sha256: row.sha256,
    bytes: Number(row.bytes),
    status: waiting === 0 ? 'importado' : 'importando',
    lines: row.lines,
    blank: row.blank,
    accepted,
    rejected: row.rejected,
    waiting,
    created: row.created,
    repeated: row.repeated,
    conflicting: row.conflicting,
    percent: accepted === 0 ? 100 : Math.floor((100 * (accepted - waiting)) / accepted),
    repeats_import: row.repeats_import,
    rejects: row.rejects,
    created_at: row.created_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  };
}
