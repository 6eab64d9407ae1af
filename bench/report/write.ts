import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan } from '../plan.js';
import type { BracketedDrain, Results } from '../results.js';
import { type Bar, chart } from './chart.js';
import { naiveRate, shareOfM } from './drain-rows.js';
import { mean, median } from './statistics.js';
import { percent, thousands } from './table.js';

const FOLDER = join('bench', 'results');
/** The chart that the README shows. Only a run of all parts writes it: the default one, or `--full`. */
const LATEST = 'latest.svg';

/**
 * Writes every raw time as JSON, and the chart where there were drains. Returns the paths of the files, from the root of
 * the clone.
 */
export function writeResults(results: Results, { name }: Pick<Plan, 'name'>): string[] {
  const stem = `${results.begun.slice(0, 10)}${name && `-${name}`}`;
  mkdirSync(FOLDER, { recursive: true });
  const write = (file: string, text: string) => {
    writeFileSync(join(FOLDER, file), text);
    return join(FOLDER, file);
  };
  const files = [write(`${stem}.json`, `${JSON.stringify(results, null, 2)}\n`)];
  const picture = chartOf(results);
  if (picture === undefined) return files;
  files.push(write(`${stem}.svg`, picture));
  if (name === '' || name === 'full') files.push(write(LATEST, picture));
  return files;
}

/**
 * The chart of the largest size that all languages drained: ceiling M, the consumers fresh and warm, and naive. Undefined
 * without a drain.
 */
export function chartOf(results: Results): string | undefined {
  const languages = [...new Set(results.drains.map(({ language }) => language))];
  const has = (numbers: number) => languages.every((one) => drainsOf(results, one, numbers).length > 0);
  const numbers = Math.max(...results.drains.map((drain) => drain.numbers).filter(has));
  if (languages.length === 0) return undefined;
  const drains = languages.flatMap((language) => drainsOf(results, language, numbers));
  const ceiling = mean(drains.flatMap(({ ceilings }) => ceilings.map((one) => one.numbers / one.plainS)));
  const ours = languages.flatMap((language) => barsOf(TITLES[language], drainsOf(results, language, numbers)));
  const naive = naiveRate(results, numbers);
  const bars: Bar[] = [
    { label: 'mongod alone', value: ceiling, text: `${rateInWords(ceiling)} (ceiling M)`, kind: 'ceiling' },
    ...ours,
    ...(naive === undefined ? [] : [naiveBar(naive)]),
  ];
  const { cores, processor } = results.machine;
  return chart(
    'Numbers a second, from a full queue into both stores',
    `${thousands(numbers)} numbers, one consumer; warm: its second campaign. ${cores} cores for everything (${processor}), ${results.begun.slice(0, 10)}. mongod alone: encoded documents, one connection.`,
    bars,
  );
}

const TITLES: Record<BracketedDrain['language'], string> = { rust: 'Rust', go: 'Go', typescript: 'TypeScript' };

/** A bar for a consumer that has just started, and one for its second campaign where that was measured. */
function barsOf(title: string, rounds: readonly BracketedDrain[]): Bar[] {
  const bar = (label: string, own: readonly BracketedDrain[], seconds: (round: BracketedDrain) => number): Bar => {
    const value = median(own.map((round) => round.numbers / seconds(round)));
    const share = median(own.map((round) => shareOfM(round, 'plainS', seconds(round))));
    return { label, value, text: `${rateInWords(value)}, ${percent(share)}`, kind: 'ours' };
  };
  const warm = rounds.filter(({ warmS }) => warmS !== undefined);
  return [
    bar(title, rounds, ({ drainS }) => drainS),
    ...(warm.length > 0 ? [bar(`${title}, warm`, warm, ({ warmS, drainS }) => warmS ?? drainS)] : []),
  ];
}

function naiveBar({ size, rate }: { size: number; rate: number }): Bar {
  return { label: 'naive', value: rate, text: `${rateInWords(rate)}, of ${thousands(size)} numbers`, kind: 'naive' };
}

function drainsOf(results: Results, language: BracketedDrain['language'], numbers: number): BracketedDrain[] {
  return results.drains.filter((drain) => drain.language === language && drain.numbers === numbers);
}

function rateInWords(value: number): string {
  return `${thousands(value)}/s`;
}
