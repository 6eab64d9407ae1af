import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { LanguageName } from '../../consumer/conformance/runner/languages.js';
import type { Results } from '../results.js';
import { rowsOf } from './rows.js';
import type { Row } from './table.js';

/** The run that the documents quote; a new one is named here when they do. */
const QUOTED = '2026-11-24-full.json';
const ROWS = rowsOf(JSON.parse(readFileSync(`bench/results/${QUOTED}`, 'utf8')) as Results);

/** A file of the clone, as one line. */
function textOf(path: string): string {
  return readFileSync(path, 'utf8').replace(/\s+/g, ' ');
}

/** The first row of that name and size. */
function row(measured: string, numbers: number): Row {
  const found = ROWS.find((one) => one.measured.trim() === measured && one.numbers === numbers);
  if (!found) throw new Error(`${QUOTED} has no "${measured}" of ${numbers}`);
  return found;
}

/** The number that a ratio begins with: 41 of "41 x naive", 175 of "1/175 of naive". */
function ratio(measured: string, numbers: number): number {
  return Number(/^(?:1\/)?([\d.]+)/.exec(row(measured, numbers).ratio ?? '')?.[1]);
}

function timesNaive(language: LanguageName, numbers: number): number {
  return ratio(`${language} and naive`, numbers);
}

/** Numbers a second, as Portuguese writes them. */
function rate(measured: string, numbers: number): string {
  return Math.round(numbers / (row(measured, numbers).seconds ?? 0)).toLocaleString('pt-BR');
}

function shares(measured: string, numbers: number): string {
  const [typescript, go, rust] = ['typescript', 'go', 'rust'].map((one) => ratio(`${measured}: ${one}`, numbers));
  return `${typescript} % (TypeScript), ${go} % (Go) and ${rust} % (Rust)`;
}

test('the README quotes the published run', () => {
  const times = (numbers: number) =>
    [timesNaive('typescript', numbers), timesNaive('go', numbers), timesNaive('rust', numbers)] as const;
  const [typescript, go, rust] = times(100_000);
  const readme = textOf('README.md');
  expect(readme).toContain(
    `of 100,000 numbers one consumer stores and records ${typescript} (TypeScript), ${go} (Go) and ${rust} (Rust) times as many a second as the usual way`,
  );
  const [typescript1M, go1M, rust1M] = times(1_000_000);
  expect(readme).toContain(`of 1,000,000, as in the chart, ${typescript1M}, ${go1M} and ${rust1M} times`);
  expect(readme).toContain(`that is ${shares('drain', 100_000)}`);
  expect(readme).toContain(`${shares('drain, at hand', 100_000)} when it has worked before`);
});

test('the answers to the four questions quote the published run', () => {
  const answers = textOf('docs/questionario.md');
  const [typescript, go, rust] = ['typescript', 'go', 'rust'].map((one) => rate(`drain: ${one}`, 100_000));
  const naive = rate('naive: drain', 2_000);
  expect(answers).toContain(`um *ack* | ${naive} | 1 |`);
  expect(answers).toContain(`em TypeScript, em lotes | ${typescript} | ${timesNaive('typescript', 100_000)} vezes |`);
  expect(answers).toContain(`em Go, em lotes | ${go} | ${timesNaive('go', 100_000)} vezes |`);
  expect(answers).toContain(`em Rust, em lotes | ${rust} | ${timesNaive('rust', 100_000)} vezes |`);
  expect(answers).toContain(`Rust ${rust} números por segundo, Go ${go}, TypeScript ${typescript}, e`);
  expect(answers).toContain(`Rust ${rust} por segundo, Go ${go}, TypeScript ${typescript}, todos`);
  const upload = ratio('upload and naive, each confirm awaited', 100_000);
  expect(answers.split(`${upload} vezes mais rápido`).length).toBe(3);
});

test('the decision on two batches quotes the published run', () => {
  const [rust, go] = [ratio('drain: rust', 100_000), ratio('drain: go', 100_000)];
  expect(textOf('docs/decisions/0008-two-batches-under-way.md')).toContain(
    `the run in \`bench/results/\` has ${rust} % and ${go} %`,
  );
});
