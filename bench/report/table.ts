import { table } from '../../infra/local/demo/table.js';
import type { Goal } from './goals.js';

/** A line of the table. A field that is undefined is an empty cell. */
export interface Row {
  measured: string;
  numbers?: number;
  seconds?: number;
  /** How it compares, and with what, in words. */
  ratio?: string;
  /** CPU seconds of the process for each million numbers. */
  cpuPerMillion?: number | undefined;
  peakMb?: number | undefined;
  goal?: Goal;
}

const WIDTH = 200;
const NUMERIC = new Set([1, 2, 3, 5, 6]);

/** The table of a run as text. */
export function tableOf(rows: readonly Row[]): string {
  const headers = ['measured', 'numbers', 'seconds', 'numbers/s', 'ratio', 'CPU s/million', 'peak MB', 'goal'];
  const right = (cells: string[], column: number) =>
    Math.max(...cells.map((cell) => cell.length), headers[column]?.length ?? 0);
  const lines = rows.map(cellsOf);
  const widths = headers.map((_, column) =>
    right(
      lines.map((line) => line[column] ?? ''),
      column,
    ),
  );
  const aligned = lines.map((line) =>
    line.map((cell, column) => (NUMERIC.has(column) ? cell.padStart(widths[column] ?? 0) : cell)),
  );
  return table(headers, aligned, WIDTH);
}

function cellsOf({ measured, numbers, seconds, ratio, cpuPerMillion, peakMb, goal }: Row): string[] {
  const rate = numbers !== undefined && seconds !== undefined ? thousands(numbers / seconds) : '';
  return [
    measured,
    numbers === undefined ? '' : thousands(numbers),
    seconds === undefined ? '' : threeDigits(seconds),
    rate,
    ratio ?? '',
    cpuPerMillion === undefined ? '' : cpuPerMillion.toFixed(1),
    peakMb === undefined ? '' : peakMb.toFixed(0),
    goal === undefined ? '' : `${goal.wanted}: ${wordOf(goal)}`,
  ];
}

function wordOf({ met }: Goal): string {
  if (met === undefined) return 'not judged';
  return met ? 'yes' : 'NO';
}

function threeDigits(seconds: number): string {
  return seconds >= 100 ? seconds.toFixed(0) : seconds.toPrecision(3);
}

/** A whole number with commas. */
export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** A share of one, in whole per cent. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}
