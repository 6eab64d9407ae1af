import { table } from '../../infra/local/demo/table.js';
import { percentile } from '../report/statistics.js';
import { thousands } from '../report/table.js';
import type { LoadFigures } from './load-users.js';
import { milliseconds, momentsOf, sparklines } from './picture.js';
import type { TableRows } from './stored-rows.js';

/** All that is told of a load. */
export interface LoadReport {
  seed: number;
  processes: number;
  figures: LoadFigures;
  /** Resident memory of the server's processes, before the sockets and while all were open. */
  memory: { before: number; open: number } | undefined;
  /** The four tables, or why they could not be read. */
  rows: TableRows[] | string;
}

const MB = 1e6;
const KB = 1e3;

/** The report as text: figures, tables, and latency over time. */
export function reportOf(report: LoadReport, width: number): string {
  const { figures, rows } = report;
  const tables = typeof rows === 'string' ? [] : [tablesOf(rows, width)];
  const accepted = figures.latencyMs.some((value) => !Number.isNaN(value));
  const picture = accepted ? ['latency of POST by the second of its answer', ...sparklines(momentsOf(figures))] : [];
  return [table(['measured', ''], figureRows(report), width), ...tables, ...picture].join('\n');
}

function figureRows({ seed, processes, figures, memory }: LoadReport): string[][] {
  const { users, answers, repeated, openAtOnce, latencyMs, acceptedMs, endedMs } = figures;
  const latencies = [...latencyMs].filter((value) => !Number.isNaN(value));
  const lastAccept = last(acceptedMs);
  const words = Object.entries(answers).map(([status, times]) => `${status}: ${thousands(times)}`);
  return [
    ['users', `${thousands(users)} (seed ${seed})`],
    ['sockets open at once', `${thousands(openAtOnce)} (processes of the loader: ${processes})`],
    ['answers of POST', words.join(', ') || 'none'],
    ['sent again, as a 503 asked for', thousands(repeated)],
    ...[0.5, 0.99, 1].map((part) => [
      `POST ${part === 1 ? 'max' : `p${part * 100}`}`,
      milliseconds(percentile(latencies, part)),
    ]),
    ['first request to last accept', seconds(lastAccept)],
    ['accepted a second', lastAccept > 0 ? thousands(latencies.length / (lastAccept / 1_000)) : '-'],
    ['first request to last end seen', seconds(last(endedMs))],
    ...(memory
      ? [
          [
            'memory of the server',
            `${megabytes(memory.before)} before, ${megabytes(memory.open)} with all sockets open`,
          ],
          ['memory of the server a socket', `${((memory.open - memory.before) / openAtOnce / KB).toFixed(1)} KB`],
        ]
      : []),
  ];
}

function tablesOf(rows: readonly TableRows[], width: number): string {
  const lines = rows.map(({ table: name, sent, found, missing, other }) => [
    name,
    ...[sent, found, missing, other].map(thousands),
  ]);
  return table(['table', 'rows sent', 'rows found', 'missing', 'not sent'], lines, width);
}

/** Each difference between what was sent and what became of it, with its number. Empty: there is none. */
export function differencesOf({ figures, rows }: Pick<LoadReport, 'figures' | 'rows'>): string[] {
  const { users, problems, acceptedMs, endedMs } = figures;
  const said = Object.entries(problems).map(([word, times]) => `${thousands(times)} x ${word}`);
  const reached = { accepted: acceptedMs, 'seen to their end': endedMs };
  for (const [word, times] of Object.entries(reached)) {
    const number = times.reduce((sum, at) => (Number.isNaN(at) ? sum : sum + 1), 0);
    if (number !== users) said.push(`${thousands(number)} of ${thousands(users)} users ${word}`);
  }
  if (typeof rows === 'string') return [...said, `the tables could not be compared: ${rows}`];
  const wrong = rows.filter(({ missing, other }) => missing > 0 || other > 0);
  return [
    ...said,
    ...wrong.map(
      ({ table: name, sent, missing, other }) =>
        `${name}: ${thousands(missing)} of ${thousands(sent)} rows missing, ${thousands(other)} that were not sent`,
    ),
  ];
}

/** The latest of the times; NaN of none. */
function last(times: Float64Array): number {
  return times.reduce((most, at) => (at > most || Number.isNaN(most) ? at : most), Number.NaN);
}

function seconds(ms: number): string {
  return Number.isNaN(ms) ? '-' : `${(ms / 1_000).toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return `${thousands(bytes / MB)} MB`;
}
