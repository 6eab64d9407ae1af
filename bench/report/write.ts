import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan } from '../plan.js';
import type { BracketedDrain, Results } from '../results.js';
import { type Bar, chart } from './chart.js';
import { naiveRate, shareOfM } from './drain-rows.js';
import { mean, median } from './statistics.js';
import { percent } from './table.js';

const FOLDER = join('bench', 'results');
/** Shown by the README: only a run of everything is. */
const LATEST = 'latest.svg';

/** Writes every raw time as JSON, and the chart where there were drains. Answers the files, from the root of the clone. */
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

/** Naive, the consumers and ceiling M at the largest size that every language has drained. Undefined without a drain. */
export function chartOf(results: Results): string | undefined {
  const languages = [...new Set(results.drains.map(({ language }) => language))];
  const has = (numbers: number) => languages.every((one) => of(results, one, numbers).length > 0);
  const numbers = Math.max(...results.drains.map((drain) => drain.numbers).filter(has));
  if (languages.length === 0) return undefined;
  const drains = languages.flatMap((language) => of(results, language, numbers));
  const ceiling = mean(drains.flatMap(({ ceilings }) => ceilings.map((one) => one.numbers / one.plainS)));
  const ours = languages.map((language): Bar => {
    const rounds = of(results, language, numbers);
    const value = median(rounds.map(({ drainS }) => numbers / drainS));
    return {
      label: TITLES[language],
      value,
      text: `${told(value)}, ${percent(median(rounds.map((round) => shareOfM(round))))}`,
      kind: 'ours',
    };
  });
  const naive = naiveRate(results);
  const bars: Bar[] = [
    { label: 'mongod alone', value: ceiling, text: `${told(ceiling)} (ceiling M)`, kind: 'ceiling' },
    ...ours,
    ...(naive === undefined ? [] : [{ label: 'naive', value: naive, text: told(naive), kind: 'naive' } as const]),
  ];
  const { cores, processor } = results.machine;
  return chart(
    `Numbers a second from a full queue into both stores: ${numbers.toLocaleString('en')} numbers, one consumer`,
    `${cores} cores for everything (${processor}), ${results.begun.slice(0, 10)}; mongod alone: encoded documents, one connection`,
    bars,
  );
}

const TITLES: Record<BracketedDrain['language'], string> = { rust: 'Rust', go: 'Go', typescript: 'TypeScript' };

function of(results: Results, language: BracketedDrain['language'], numbers: number): BracketedDrain[] {
  return results.drains.filter((drain) => drain.language === language && drain.numbers === numbers);
}

function told(value: number): string {
  return `${Math.round(value).toLocaleString('en')}/s`;
}
