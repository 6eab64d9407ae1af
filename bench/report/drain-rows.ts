import type { BracketedDrain, Results } from '../results.js';
import { CORES_FOR_TWO, JUDGED_FROM, WANTED } from './goals.js';
import { mean, median, sizesOf, spread, steepest } from './statistics.js';
import { percent, type Row, thousands } from './table.js';

const MILLION = 1_000_000;

/** Naive, by size: publishing with both ways of confirming, and its consumer. */
export function naiveRows({ naive }: Results): Row[] {
  return sizesOf([...naive.each, ...naive.end]).flatMap((numbers) => naiveRowsOf(naiveOfSize(naive, numbers)));
}

function naiveRowsOf(naive: Results['naive']): Row[] {
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

function naiveOfSize({ each, end }: Results['naive'], size: number): Results['naive'] {
  const fits = ({ numbers }: { numbers: number }) => numbers === size;
  return { each: each.filter(fits), end: end.filter(fits) };
}

/**
 * The naive measurement that `numbers` numbers are compared with: the largest size up to `numbers`, else the smallest one.
 * Undefined where naive was not measured.
 */
export function naiveFor({ naive }: Results, numbers: number): (Results['naive'] & { size: number }) | undefined {
  const sizes = sizesOf([...naive.each, ...naive.end]);
  const size = sizes.findLast((one) => one <= numbers) ?? sizes[0];
  return size === undefined ? undefined : { size, ...naiveOfSize(naive, size) };
}

/** Numbers a second of the naive consumer of that size, and the size; undefined where it was not measured. */
export function naiveRate(results: Results, numbers: number): { size: number; rate: number } | undefined {
  const naive = naiveFor(results, numbers);
  if (naive === undefined) return undefined;
  const rate = median([...naive.each, ...naive.end].map((one) => one.numbers / one.drainS));
  return { size: naive.size, rate };
}

/** By size: the ceilings, then each consumer. */
export function drainRows(results: Results): Row[] {
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
  // The ceiling after a drain is also the one before the next drain.
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

/** The share of ceiling M that a drain reaches in `seconds`. M is the mean of the two right before and right after it. */
export function shareOfM(
  { numbers, drainS, ceilings }: BracketedDrain,
  of: 'plainS' | 'validatedS' = 'plainS',
  seconds = drainS,
): number {
  return numbers / seconds / mean(ceilings.map((ceiling) => ceiling.numbers / ceiling[of]));
}

function languageRows(results: Results, rounds: readonly BracketedDrain[]): Row[] {
  const [{ language, numbers }] = rounds as [BracketedDrain];
  const share = median(rounds.map((round) => shareOfM(round)));
  const validated = median(rounds.map((round) => shareOfM(round, 'validatedS')));
  const seconds = median(rounds.map(({ drainS }) => drainS));
  const judged = numbers >= JUDGED_FROM;
  const wanted = WANTED.shareOfM[language];
  const drain: Row = {
    measured: `drain: ${language}`,
    numbers,
    seconds,
    ratio: `${percent(share)} of M, ${percent(validated)} with validator`,
    cpuPerMillion: perMillion(rounds),
    peakMb: median(rounds.flatMap(({ consumer }) => (consumer ? [consumer.peakMb] : []))),
    ...(judged && { goal: { wanted: `≥ ${percent(wanted)} of M`, met: share >= wanted } }),
  };
  const warm = warmRows(rounds);
  const naive = naiveRate(results, numbers);
  if (!judged || naive === undefined) return [drain, ...warm];
  const times = numbers / seconds / naive.rate;
  const goal = { wanted: `≥ ${WANTED.timesNaive} x naive`, met: times >= WANTED.timesNaive };
  const ofNaive = (quotient: number) => `${quotient.toFixed(0)} x naive of ${thousands(naive.size)}`;
  const ofFresh = { measured: `  ${language} and naive`, numbers, ratio: ofNaive(times), goal };
  const again = warm.flatMap((row) => [
    row,
    {
      measured: `  ${language}, warm, and naive`,
      numbers,
      ratio: ofNaive(numbers / (row.seconds ?? Number.NaN) / naive.rate),
    },
  ]);
  return [drain, ofFresh, ...again];
}

/** The same drains again by a consumer that has worked before and was at rest. */
function warmRows(rounds: readonly BracketedDrain[]): Row[] {
  const again = rounds.flatMap((round) => (round.warmS === undefined ? [] : [{ ...round, seconds: round.warmS }]));
  const [one] = again;
  if (!one) return [];
  const { language, numbers } = one;
  const share = median(again.map((round) => shareOfM(round, 'plainS', round.seconds)));
  const validated = median(again.map((round) => shareOfM(round, 'validatedS', round.seconds)));
  const wanted = WANTED.shareOfM[language];
  return [
    {
      measured: `drain, warm: ${language}`,
      numbers,
      seconds: median(again.map(({ seconds }) => seconds)),
      ratio: `${percent(share)} of M, ${percent(validated)} with validator`,
      ...(numbers >= JUDGED_FROM && { goal: { wanted: `≥ ${percent(wanted)} of M`, met: share >= wanted } }),
    },
  ];
}

/** How the cost of a drain grows with its size, where a language has several. */
export function growthRows({ drains }: Results): Row[] {
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
        goal: { wanted: `≤ ${WANTED.steepest} x straight`, met: worst <= WANTED.steepest },
      },
    ];
  });
}

/** Consumers side by side, one a partition. */
export function partitionRows({ partitions, machine }: Results): Row[] {
  const rate = ({ left, drainS }: Results['partitions'][number]) => left / drainS;
  const one = partitions.find((measure) => measure.partitions === 1);
  return partitions.map((measure) => {
    const times = one === undefined ? undefined : rate(measure) / rate(one);
    const met = machine.cores < CORES_FOR_TWO || times === undefined ? undefined : times >= WANTED.twoPartitions;
    const name = measure.partitions === 1 ? '1 partition' : `${measure.partitions} partitions`;
    return {
      measured: `${name}, as many consumers: ${measure.language}`,
      numbers: measure.left,
      seconds: measure.drainS,
      ...(times !== undefined && { ratio: `${times.toFixed(2)} x one` }),
      ...(measure.partitions === 2 && {
        goal: { wanted: `≥ ${WANTED.twoPartitions} x one (${CORES_FOR_TWO} cores or more)`, met },
      }),
    };
  });
}
