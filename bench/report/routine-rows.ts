import type { Results } from '../results.js';
import { median } from './statistics.js';
import type { Row } from './table.js';

/** Each way of a routine, and its time for the same number of items as a multiple of the first way's. */
export function routineRows({ routines = [] }: Results): Row[] {
  return [...new Set(routines.map(({ routine }) => routine))].flatMap((routine) => {
    const own = routines.filter((one) => one.routine === routine);
    const [first] = own;
    return [...new Set(own.map(({ way }) => way))].map((way): Row => {
      const rounds = own.filter((one) => one.way === way);
      const [{ clock, items }] = rounds as [(typeof rounds)[number]];
      const seconds = median(rounds.map((one) => one.seconds));
      const each = (name: string | undefined) =>
        median(own.filter((one) => one.way === name).map((one) => one.seconds / one.items));
      const times = each(way) / each(first?.way);
      return {
        measured: `routine: ${routine}, ${way}`,
        numbers: items,
        seconds,
        ...(way !== first?.way && { ratio: `${times.toFixed(times < 10 ? 1 : 0)} x ${first?.way}` }),
        ...(clock === 'cpu' && { cpuPerMillion: (seconds / items) * 1_000_000 }),
      };
    });
  });
}
