import type { PixDrain, PixWay } from '../measure/pix.js';
import { PIX_WAYS } from '../measure/pix.js';
import type { Results } from '../results.js';
import { PIX_JUDGED_FROM, WANTED } from './goals.js';
import { median } from './statistics.js';
import { percent, type Row } from './table.js';

/** Messages of Pix from the first claim to the last message. A ratio is the median of the ratios of the rounds. */
export function pixRows({ pix }: Results): Row[] {
  if (pix === undefined) return [];
  const of = (way: PixWay) => pix.drains.filter((drain) => drain.way === way);
  const share = (way: PixWay, other: PixWay, wanted: number): Row => {
    const found = quotient(of(way), of(other));
    const isJudged = of(way).every(({ messages }) => messages >= PIX_JUDGED_FROM);
    return {
      measured: `  ${way} and ${other}`,
      ratio: `${percent(found)} of its rate`,
      goal: { wanted: `≥ ${percent(wanted)}`, met: isJudged ? found >= wanted : undefined },
    };
  };
  return [
    ...PIX_WAYS.map((way) => ({
      measured: `pix: ${way}`,
      numbers: of(way)[0]?.messages ?? 0,
      seconds: median(of(way).map(({ seconds }) => seconds)),
    })),
    share('1 collector', 'pix_read, 1 connection', WANTED.shareOfRead[1]),
    share('6 collectors', 'pix_read, 6 connections', WANTED.shareOfRead[6]),
    share('pix_read, 1 connection', 'the claim alone', WANTED.shareOfClaim),
    wakeRow(pix.wakes),
    ...pix.made.map(madeRow),
  ];
}

function wakeRow(wakes: NonNullable<Results['pix']>['wakes']): Row {
  const [p50, p95] = [median(wakes.map(({ p50Ms }) => p50Ms)), median(wakes.map(({ p95Ms }) => p95Ms))];
  return {
    measured: 'pix: a poll is woken by a POST at another process',
    ratio: `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`,
    goal: { wanted: `p95 < ${WANTED.wakeMs} ms`, met: p95 < WANTED.wakeMs },
  };
}

function madeRow({ messages, seconds }: { messages: number; seconds: number }): Row {
  const row = { measured: 'pix: made by one POST', numbers: messages, seconds };
  const wanted = Object.entries(WANTED.madeS).find(([number]) => Number(number) === messages)?.[1];
  return wanted === undefined ? row : { ...row, goal: { wanted: `< ${wanted} s`, met: seconds < wanted } };
}

/** Messages a second of `drains` divided by those of `others`, round by round; the median. */
function quotient(drains: readonly PixDrain[], others: readonly PixDrain[]): number {
  const rate = ({ messages, seconds }: PixDrain) => messages / seconds;
  return median(drains.map((drain, round) => rate(drain) / rate(others[round] as PixDrain)));
}
