import { BILLING_WAYS, type BillingMeasure, type BillingWay } from '../measure/billing.js';
import type { Results } from '../results.js';
import { BILLING_JUDGED_FROM, MAILS_JUDGED_FROM, WANTED, WHOLE } from './goals.js';
import { median } from './statistics.js';
import { percent, type Row } from './table.js';

/** Files of debts until they are merged, boletos, and mails. A ratio is the median of the ratios of the rounds. */
export function billingRows({ billing }: Results): Row[] {
  if (billing === undefined) return [];
  const of = (way: BillingWay) => billing.filter((measured) => measured.way === way);
  const times = (way: BillingWay, other: BillingWay, wanted: number): Row => {
    const found = median(of(way).map(({ seconds }, round) => seconds / (of(other)[round] as BillingMeasure).seconds));
    const isJudged = of(way).every(({ lines }) => lines >= BILLING_JUDGED_FROM);
    return {
      measured: `  ${way} and ${other}`,
      ratio: `${found.toFixed(2)} x its time`,
      goal: { wanted: `≤ ${wanted} x`, met: isJudged ? found <= wanted : undefined },
    };
  };
  return [
    ...BILLING_WAYS.flatMap((way) => (of(way).length > 0 ? [wayRow(of(way))] : [])),
    times('imported', 'copied and inserted', WANTED.timesCopied),
    times('imported again', 'imported', WANTED.timesFirst),
    ...memoryRow(billing),
    ...mailsRow(of('drawn'), of('mailed')),
  ];
}

/** Without a row in runs that are older than mails. */
function mailsRow(drawn: readonly BillingMeasure[], mailed: readonly BillingMeasure[]): Row[] {
  if (mailed.length === 0) return [];
  const share = median(mailed.map(({ seconds }, round) => (drawn[round] as BillingMeasure).seconds / seconds));
  const isJudged = mailed.every(({ lines }) => lines >= MAILS_JUDGED_FROM);
  const goal = {
    wanted: `≥ ${percent(WANTED.shareOfDrawn)}`,
    met: isJudged ? share >= WANTED.shareOfDrawn : undefined,
  };
  return [{ measured: '  mailed and drawn', ratio: `${percent(share)} of its rate`, goal }];
}

function wayRow(rounds: readonly BillingMeasure[]): Row {
  const [{ way, lines }] = rounds as [BillingMeasure];
  const seconds = median(rounds.map((round) => round.seconds));
  const row = { measured: `billing: ${way}`, numbers: lines, seconds, ratio: loadOf(rounds) };
  if (way !== 'imported') return row;
  const met = lines >= WHOLE ? seconds < WANTED.importS : undefined;
  return { ...row, goal: { wanted: `< ${WANTED.importS} s`, met } };
}

/** Without a row where the system does not say it. */
function memoryRow(measured: readonly BillingMeasure[]): Row[] {
  const peaks = measured.flatMap(({ peakMb }) => peakMb ?? []);
  if (peaks.length === 0) return [];
  const peakMb = Math.max(...peaks);
  const met = measured.some(({ lines }) => lines >= WHOLE) ? peakMb < WANTED.importMb : undefined;
  return [{ measured: '  most memory of the server', peakMb, goal: { wanted: `< ${WANTED.importMb} MB`, met } }];
}

function loadOf(rounds: readonly BillingMeasure[]): string {
  return `load average ${rounds.map(({ load }) => load.toFixed(1)).join(', ')}`;
}
