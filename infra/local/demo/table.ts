import { stripVTControlCharacters } from 'node:util';

/**
 * A table drawn with lines, no wider than `width`. The widest column is narrowed first, its cells cut with an ellipsis.
 * Cells may be coloured.
 */
export function table(headers: string[], rows: string[][], width: number): string {
  const columns = narrowed(
    headers.map((header, column) => Math.max(header.length, ...rows.map((row) => lengthOf(row[column])))),
    width,
  );
  const rule = (left: string, middle: string, right: string) =>
    left + columns.map((size) => '─'.repeat(size + 2)).join(middle) + right;
  const line = (cells: string[]) =>
    `│${columns.map((size, column) => ` ${cut(cells[column] ?? '', size)} `).join('│')}│`;
  return [rule('┌', '┬', '┐'), line(headers), rule('├', '┼', '┤'), ...rows.map(line), rule('└', '┴', '┘')].join('\n');
}

const NARROWEST = 4;

/** The length of a text without its colours. */
function lengthOf(text = ''): number {
  return stripVTControlCharacters(text).length;
}

function narrowed(columns: number[], width: number): number[] {
  const sizes = [...columns];
  const total = () => sizes.reduce((sum, size) => sum + size + 3, 1);
  while (total() > width) {
    const widest = sizes.indexOf(Math.max(...sizes));
    const size = sizes[widest] ?? 0;
    if (size <= NARROWEST) break;
    sizes[widest] = size - 1;
  }
  return sizes;
}

function cut(text: string, size: number): string {
  const shown = stripVTControlCharacters(text);
  return shown.length > size ? `${shown.slice(0, size - 1)}…` : text + ' '.repeat(size - shown.length);
}
