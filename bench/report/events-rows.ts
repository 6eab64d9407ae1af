import { EVENT_MIXES, EVENT_WAYS, type EventMix, type EventsDrain, type EventWay } from '../measure/events.js';
import type { Results } from '../results.js';
import { EVENTS_JUDGED_FROM, WANTED } from './goals.js';
import { median } from './statistics.js';
import type { Row } from './table.js';

/** What `npm start` takes by default. */
const USUAL = 500;
/** Batches of 500 at most, and of 2,000. */
const HALF_THOUSAND = 1_000;
const LARGEST = 4_000;
/** How much slower still counts as no slower: a choice, as no two measurements are alike. */
const NOISE = 0.05;

/** Events from a full queue into rows. A ratio is the median of the ratios of the rounds. */
export function eventsRows({ events = [] }: Results): Row[] {
  if (events.length === 0) return [];
  return EVENT_MIXES.flatMap((mix) => {
    const of = (way: EventWay) => events.filter((drain) => drain.mix === mix && drain.way === way);
    const isJudged = of(USUAL).every(({ messages }) => messages >= EVENTS_JUDGED_FROM);
    const times = quotient(of(USUAL), of('naive'));
    const slower = quotient(of(LARGEST), of(HALF_THOUSAND));
    return [
      ...EVENT_WAYS.map((way) => drainRow(of(way), way, mix)),
      {
        measured: `  ${mix}: prefetch ${USUAL} and naive`,
        ratio: `${times.toFixed(1)} x naive`,
        goal: {
          wanted: `≥ ${WANTED.timesPlainInsert} x`,
          met: isJudged ? times >= WANTED.timesPlainInsert : undefined,
        },
      },
      {
        measured: `  ${mix}: prefetch ${LARGEST.toLocaleString('en')} and ${HALF_THOUSAND.toLocaleString('en')}`,
        ratio: `${slower.toFixed(2)} x as fast`,
        goal: { wanted: `≥ ${1 - NOISE} x`, met: isJudged ? slower >= 1 - NOISE : undefined },
      },
    ];
  });
}

function drainRow(rounds: readonly EventsDrain[], way: EventWay, mix: EventMix): Row {
  const [{ messages }] = rounds as [EventsDrain];
  const middle = (of: (drain: EventsDrain) => number | undefined) => median(rounds.flatMap((drain) => of(drain) ?? []));
  const size = Math.round(middle(({ batches }) => messages / batches));
  const knows = rounds.every(({ cost }) => cost !== undefined);
  return {
    measured: `events, ${mix}: ${way === 'naive' ? way : `prefetch ${way.toLocaleString('en')}, ${size} a batch`}`,
    numbers: messages,
    seconds: middle(({ drainS }) => drainS),
    cpuPerMillion: knows ? middle(({ cost }) => (cost ? (cost.cpuS * 1_000_000) / messages : undefined)) : undefined,
    peakMb: knows ? middle(({ cost }) => cost?.peakMb) : undefined,
  };
}

/** Messages a second of `drains` divided by those of `others`, round by round; the median. */
function quotient(drains: readonly EventsDrain[], others: readonly EventsDrain[]): number {
  const rate = ({ messages, drainS }: EventsDrain) => messages / drainS;
  return median(drains.map((drain, round) => rate(drain) / rate(others[round] as EventsDrain)));
}
