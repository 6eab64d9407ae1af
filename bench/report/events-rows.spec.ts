import { expect, it } from 'vitest';
import { EVENT_MIXES, EVENT_WAYS, type EventsDrain, type EventWay } from '../measure/events.js';
import { eventsRows } from './events-rows.js';
import { judged, results } from './made-up.js';

const COST = { cpuS: 2, rssMb: 40, peakMb: 50 };
/** Seconds for 10,000 messages. */
const SECONDS: Record<EventWay, number> = { naive: 8, 500: 1, 1000: 1, 4000: 1.05 };

/** A round of each mix. */
function round(changed: Partial<Record<EventWay, number>> = {}, messages = 20_000): EventsDrain[] {
  return EVENT_MIXES.flatMap((mix) =>
    EVENT_WAYS.map((way) => {
      const drained = way === 'naive' ? 10_000 : messages;
      const batches = way === 'naive' ? 0 : (4 * drained) / way;
      return {
        way,
        mix,
        messages: drained,
        batches,
        drainS: ({ ...SECONDS, ...changed }[way] * drained) / 10_000,
        cost: COST,
      };
    }),
  );
}

const ofBoth = (times: [string, boolean], larger: [string, boolean]) =>
  EVENT_MIXES.flatMap((mix) => [
    [`${mix}: prefetch 500 and naive`, ...times],
    [`${mix}: prefetch 4,000 and 1,000`, ...larger],
  ]);

it('has a line for each way of each mix and each comparison', () => {
  const rows = eventsRows(results({ events: round() }));
  expect(rows.slice(0, 2)).toEqual([
    { measured: 'events, clean: naive', numbers: 10_000, seconds: 8, cpuPerMillion: 200, peakMb: 50 },
    {
      measured: 'events, clean: prefetch 500, 125 a batch',
      numbers: 20_000,
      seconds: 2,
      cpuPerMillion: 100,
      peakMb: 50,
    },
  ]);
  expect(rows).toHaveLength(EVENT_MIXES.length * (EVENT_WAYS.length + 2));
});

it('judges by messages a second, not by the times of different sizes', () => {
  expect(judged(eventsRows(results({ events: round() })))).toEqual(
    ofBoth(['8.0 x naive', true], ['0.95 x as fast', true]),
  );
  const worse = round({ naive: 7.9, 4000: 1.07 });
  expect(judged(eventsRows(results({ events: worse })))).toEqual(
    ofBoth(['7.9 x naive', false], ['0.93 x as fast', false]),
  );
});

// A noisy neighbour slows down a whole round.
it('compares within a round, and takes the median of the rounds', () => {
  const slow = round({ naive: 80, 500: 10, 1000: 10, 4000: 10.5 });
  expect(judged(eventsRows(results({ events: [...round(), ...slow, ...round({ naive: 20 })] })))).toEqual(
    ofBoth(['8.0 x naive', true], ['0.95 x as fast', true]),
  );
});

it('few messages are not judged', () => {
  const goals = eventsRows(results({ events: round({}, 9_999) })).flatMap(({ goal }) => (goal ? [goal.met] : []));
  expect(goals).toEqual([undefined, undefined, undefined, undefined]);
});

it('has no line for a run from before they were measured, or without them', () => {
  expect([eventsRows(results({})), eventsRows(results({ events: [] }))]).toEqual([[], []]);
});
