import { colour, say } from '../supervise/terminal.js';
import type { Import, Report } from './billing-client.js';
import { table } from './table.js';

const DEFAULT_WIDTH = 100;
const SHOWN_REJECTS = 8;
const CENTS = 100;

/** Prints what became of the lines of a file, and why some are no debts. */
export function reportImport(name: string, made: Import): void {
  const { lines, created, repeated, conflicting, rejected, blank, rejects } = made;
  const words = Object.entries({ lines, created, repeated, conflicting, rejected, blank });
  say(
    `${colour('bold', `File ${name}:`)} ${words.map(([word, count]) => `${count.toLocaleString('en')} ${word}`).join(', ')}`,
  );
  const shown = rejects.slice(0, SHOWN_REJECTS);
  for (const { line, column, value, reason } of shown)
    say(`  line ${line}${column && `, ${column}`}: ${colour('yellow', reason)}  ${value}`);
  const more = rejected + conflicting - shown.length;
  if (more > 0) say(`  and ${more.toLocaleString('en')} more`);
}

/** Prints how the company's debts stand, as a table. */
export function reportDebts({ amounts_cents, by_status, ...report }: Report): void {
  const rows = (['imported', 'generated', 'sent', 'paid', 'cancelled', 'overdue'] as const).map((fact) => [
    fact,
    report[fact].toLocaleString('en'),
    fact in amounts_cents ? reais(amounts_cents[fact] ?? 0) : '',
  ]);
  say(`\n${colour('bold', 'GET /api/billing/report')}`);
  say(table(['debts', 'number', 'amount'], rows, process.stdout.columns ?? DEFAULT_WIDTH));
  const states = Object.entries(by_status).map(([status, count]) => `${status} ${count.toLocaleString('en')}`);
  say(`by status: ${states.join(', ')}`);
}

function reais(cents: number): string {
  return `R$ ${(cents / CENTS).toLocaleString('pt-BR', { minimumFractionDigits: 2 })}`;
}
