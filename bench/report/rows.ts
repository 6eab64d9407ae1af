import type { LanguageName } from '../../consumer/conformance/runner/languages.js';
import { table } from '../../infra/local/demo/table.js';
import type { EndToEndMeasure } from '../measure/upload.js';
import type { BracketedDrain, Results } from '../results.js';
import { mean, median, spread, steepest } from './statistics.js';

/** A line of the table. What a line does not have is empty. */
export interface Row {
  measured: string;
  numbers?: number;
  seconds?: number;
  /** Against what, in words. */
  ratio?: string;
  /** CPU seconds of the process a million numbers. */
  cpuPerMillion?: number | undefined;
  peakMb?: number | undefined;
  goal?: Goal;
}

/** A ratio that is wanted; undefined `met`: this machine or this run cannot tell. */
export interface Goal {
  wanted: string;
  met: boolean | undefined;
}

/** Where the goals of a drain begin: below it the start of the loop is part of what is measured. */
const JUDGED_FROM = 100_000;
const MILLION = 1_000_000;
const SHARE_OF_M: Record<LanguageName, number> = { rust: 0.6, go: 0.45, typescript: 0.25 };
const TIMES_NAIVE = 40;
const NAIVE_UPLOADS = 20;
const TIMES_DRAIN = 1.4;
const API_ABOVE_IDLE_MB = 250;
const STEEPEST = 1.25;
const TWO_PARTITIONS = 1.6;
/** Two consumers, mongod and the rest want one each. */
const CORES_FOR_TWO = 4;
const WIDTH = 200;

/** The one table of a run. */
export function tableOf(results: Results): string {
  const headers = ['measured', 'numbers', 'seconds', 'numbers/s', 'ratio', 'CPU s/million', 'peak MB', 'goal'];
  const right = (cells: string[], column: number) =>
    Math.max(...cells.map((cell) => cell.length), headers[column]?.length ?? 0);
  const lines = rowsOf(results).map(cellsOf);
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

const NUMERIC = new Set([1, 2, 3, 5, 6]);

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

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function threeDigits(seconds: number): string {
  return seconds >= 100 ? seconds.toFixed(0) : seconds.toPrecision(3);
}

/** Every line, in the order of the table. */
export function rowsOf(results: Results): Row[] {
  return [
    ...naiveRows(results),
    ...drainRows(results),
    ...uploadRows(results),
    ...endToEndRows(results),
    ...growthRows(results),
    ...partitionRows(results),
  ];
}

function naiveRows({ naive }: Results): Row[] {
  const row = (
    measured: string,
    rounds: Results['naive']['each'],
    seconds: (one: Results['naive']['each'][number]) => number,
  ) => rounds.slice(0, 1).map(({ numbers }): Row => ({ measured, numbers, seconds: median(rounds.map(seconds)) }));
  const both = [...naive.each, ...naive.end];
  return [
    ...row('naive: publish, each confirm awaited', naive.each, (one) => one.publishS),
    ...row('naive: publish, confirms awaited at the end', naive.end, (one) => one.publishS),
    ...row('naive: drain', both, (one) => one.drainS).map((found) => ({
      ...found,
      cpuPerMillion: perMillion(both),
      peakMb: median(both.flatMap(({ consumer }) => (consumer ? [consumer.peakMb] : []))),
    })),
  ];
}

function perMillion(all: readonly { numbers: number; consumer: { cpuS: number } | undefined }[]): number | undefined {
  const values = all.flatMap(({ numbers, consumer }) => (consumer ? [(consumer.cpuS / numbers) * MILLION] : []));
  return values.length === 0 ? undefined : median(values);
}

/** Numbers a second of the naive consumer; undefined where it was not measured. */
export function naiveRate({ naive }: Results): number | undefined {
  const both = [...naive.each, ...naive.end];
  return both.length === 0 ? undefined : median(both.map(({ numbers, drainS }) => numbers / drainS));
}

function drainRows(results: Results): Row[] {
  return sizesOf(results.drains).flatMap((numbers) => {
    const drains = results.drains.filter((drain) => drain.numbers === numbers);
    const languages = [...new Set(drains.map(({ language }) => language))];
    return [
      ...ceilingRows(drains, numbers),
      ...languages.flatMap((language) =>
        languageRows(
          results,
          drains.filter((drain) => drain.language === language),
        ),
      ),
    ];
  });
}

function ceilingRows(drains: readonly BracketedDrain[], numbers: number): Row[] {
  // The one after a drain is the one before the next.
  const ceilings = [...new Set(drains.flatMap((drain) => drain.ceilings))];
  const row = (measured: string, seconds: number[]): Row => ({
    measured,
    numbers,
    seconds: median(seconds),
    ratio: `± ${(spread(seconds) * 100).toFixed(0)} %`,
  });
  return [
    row(
      'ceiling M: insert, one connection',
      ceilings.map(({ plainS }) => plainS),
    ),
    row(
      'ceiling M with the validator',
      ceilings.map(({ validatedS }) => validatedS),
    ),
    row(
      'ceiling C: COPY of the chunks',
      drains.map(({ copyS }) => copyS),
    ),
    row(
      'ceiling Q: confirmed publishes',
      drains.map(({ publishS }) => publishS),
    ),
  ];
}

/** The share of ceiling M that a drain reaches: of the two right before and right after it. */
export function shareOfM(
  { numbers, drainS, ceilings }: BracketedDrain,
  of: 'plainS' | 'validatedS' = 'plainS',
): number {
  return numbers / drainS / mean(ceilings.map((ceiling) => ceiling.numbers / ceiling[of]));
}

function languageRows(results: Results, rounds: readonly BracketedDrain[]): Row[] {
  const [{ language, numbers }] = rounds as [BracketedDrain];
  const share = median(rounds.map((round) => shareOfM(round)));
  const validated = median(rounds.map((round) => shareOfM(round, 'validatedS')));
  const seconds = median(rounds.map(({ drainS }) => drainS));
  const judged = numbers >= JUDGED_FROM;
  const wanted = SHARE_OF_M[language];
  const drain: Row = {
    measured: `drain: ${language}`,
    numbers,
    seconds,
    ratio: `${percent(share)} of M, ${percent(validated)} with validator`,
    cpuPerMillion: perMillion(rounds),
    peakMb: median(rounds.flatMap(({ consumer }) => (consumer ? [consumer.peakMb] : []))),
    ...(judged && { goal: { wanted: `≥ ${percent(wanted)} of M`, met: share >= wanted } }),
  };
  const naive = naiveRate(results);
  if (!judged || naive === undefined) return [drain];
  const times = numbers / seconds / naive;
  const goal = { wanted: `≥ ${TIMES_NAIVE} x naive`, met: times >= TIMES_NAIVE };
  return [drain, { measured: `  ${language} and naive`, numbers, ratio: `${times.toFixed(0)} x naive`, goal }];
}

function uploadRows(results: Results): Row[] {
  return sizesOf(results.uploads).flatMap((numbers) => {
    const rounds = results.uploads.filter((upload) => upload.numbers === numbers);
    const confirmed = median(rounds.map(({ confirmedS }) => confirmedS));
    const memory = rounds.flatMap((round) => (round.memory ? [round.memory] : []));
    const aboveIdle = median(memory.map(({ peakMb, idleMb }) => peakMb - idleMb));
    return [
      { measured: 'upload: answered', numbers, seconds: median(rounds.map(({ answerS }) => answerS)) },
      {
        measured: 'upload: every chunk confirmed',
        numbers,
        seconds: confirmed,
        ...(memory.length > 0 && {
          ratio: `idle + ${aboveIdle.toFixed(0)} MB`,
          peakMb: median(memory.map((one) => one.peakMb)),
        }),
      },
      ...(numbers === JUDGED_FROM ? againstNaiveUpload(results, confirmed) : []),
    ];
  });
}

function againstNaiveUpload({ naive }: Results, confirmed: number): Row[] {
  const times = (rounds: Results['naive']['each']) =>
    (median(rounds.map(({ numbers, publishS }) => publishS / numbers)) * JUDGED_FROM) / confirmed;
  if (naive.each.length === 0) return [];
  const [each, end] = [times(naive.each), times(naive.end)];
  const goal = { wanted: `≤ 1/${NAIVE_UPLOADS} of naive`, met: each >= NAIVE_UPLOADS };
  return [
    {
      measured: '  upload and naive, each confirm awaited',
      numbers: JUDGED_FROM,
      ratio: `1/${each.toFixed(0)} of naive`,
      goal,
    },
    {
      measured: '  upload and naive, confirms at the end',
      numbers: JUDGED_FROM,
      ratio: `1/${end.toFixed(1)} of naive`,
    },
  ];
}

function endToEndRows({ endToEnd, drains }: Results): Row[] {
  const keys = [...new Set(endToEnd.map(endToEndKey))];
  return keys.map((key) => {
    const rounds = endToEnd.filter((one) => endToEndKey(one) === key);
    const [{ language, numbers }] = rounds as [EndToEndMeasure];
    const seconds = median(rounds.map(({ sentS }) => sentS));
    const alone = drains.filter((drain) => drain.language === language && drain.numbers === numbers);
    const times = alone.length === 0 ? undefined : seconds / median(alone.map(({ drainS }) => drainS));
    const memory = rounds.flatMap((round) => (round.memory ? [round.memory] : []));
    const above = memory.length === 0 ? undefined : median(memory.map(({ peakMb, idleMb }) => peakMb - idleMb));
    const parts = [
      times !== undefined && `${times.toFixed(2)} x drain`,
      above !== undefined && `API idle + ${above.toFixed(0)} MB`,
    ];
    const met = times === undefined ? undefined : times <= TIMES_DRAIN && (above ?? 0) <= API_ABOVE_IDLE_MB;
    return {
      measured: `first byte to enviado: ${language}`,
      numbers,
      seconds,
      ratio: parts.filter(Boolean).join(', '),
      ...(memory.length > 0 && { peakMb: median(memory.map((one) => one.peakMb)) }),
      ...(numbers === MILLION && {
        goal: { wanted: `≤ ${TIMES_DRAIN} x drain, API ≤ idle + ${API_ABOVE_IDLE_MB} MB`, met },
      }),
    };
  });
}

function endToEndKey({ language, numbers }: EndToEndMeasure): string {
  return `${language} ${numbers}`;
}

function growthRows({ drains }: Results): Row[] {
  const languages = [...new Set(drains.map(({ language }) => language))];
  return languages.flatMap((language) => {
    const own = drains.filter((drain) => drain.language === language);
    const points = sizesOf(own).map((numbers) => {
      const times = own.filter((drain) => drain.numbers === numbers).map(({ drainS }) => drainS);
      return { numbers, seconds: median(times) };
    });
    const worst = steepest(points);
    if (worst === undefined) return [];
    const [from = 0, to = 0] = [points[0]?.numbers, points.at(-1)?.numbers];
    return [
      {
        measured: `growth: ${language}, ${thousands(from)} to ${thousands(to)}`,
        ratio: `worst step ${worst.toFixed(2)} x straight`,
        goal: { wanted: `≤ ${STEEPEST} x straight`, met: worst <= STEEPEST },
      },
    ];
  });
}

function partitionRows({ partitions, machine }: Results): Row[] {
  const rate = ({ left, drainS }: Results['partitions'][number]) => left / drainS;
  const one = partitions.find((measure) => measure.partitions === 1);
  return partitions.map((measure) => {
    const times = one === undefined ? undefined : rate(measure) / rate(one);
    const met = machine.cores < CORES_FOR_TWO || times === undefined ? undefined : times >= TWO_PARTITIONS;
    const name = measure.partitions === 1 ? '1 partition' : `${measure.partitions} partitions`;
    return {
      measured: `${name}, as many consumers: ${measure.language}`,
      numbers: measure.left,
      seconds: measure.drainS,
      ...(times !== undefined && { ratio: `${times.toFixed(2)} x one` }),
      ...(measure.partitions === 2 && {
        goal: { wanted: `≥ ${TWO_PARTITIONS} x one (${CORES_FOR_TWO} cores or more)`, met },
      }),
    };
  });
}

function sizesOf(all: readonly { numbers: number }[]): number[] {
  return [...new Set(all.map(({ numbers }) => numbers))].toSorted((a, b) => a - b);
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}
