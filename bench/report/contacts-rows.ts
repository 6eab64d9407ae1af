import type { ContactsLoad, ContactWay } from '../measure/contacts.js';
import type { Results } from '../results.js';
import { CONTACTS_JUDGED_FROM, type Goal, WANTED } from './goals.js';
import { median } from './statistics.js';
import { percent, type Row, thousands } from './table.js';

const MILLION = 1_000_000;

/** Users accepted, followed to their end, and drained. A ratio is the median of the ratios of the rounds. */
export function contactsRows({ contacts, machine }: Results): Row[] {
  if (!contacts || contacts.loads.length === 0) return [];
  const of = (way: ContactWay) => contacts.loads.filter((load) => load.way === way);
  const [none, grouped, each] = [of('accepted, no database'), of('accepted'), of('accepted, an INSERT each')];
  const [wholeNone, whole, two] = [
    of('to the last end, no database'),
    of('to the last end'),
    of('to the last end, 2 processes'),
  ];
  const share = quotient(none, grouped, acceptedS);
  const times = quotient(each, grouped, acceptedS);
  const longer = quotient(whole, wholeNone, endedS);
  const faster = quotient(whole, two, acceptedS);
  return [
    loadRow(none),
    loadRow(grouped),
    comparison('groups and no database', grouped, `${percent(share)} of no database`, {
      wanted: `≥ ${percent(WANTED.shareOfNoDatabase)}`,
      met: share >= WANTED.shareOfNoDatabase,
    }),
    loadRow(each),
    comparison('groups and an INSERT each', grouped, `${times.toFixed(1)} x an INSERT each`, {
      wanted: `≥ ${WANTED.timesInsertEach} x`,
      met: times >= WANTED.timesInsertEach,
    }),
    loadRow(wholeNone),
    loadRow(whole),
    comparison('to the last end and no database', whole, `${longer.toFixed(2)} x no database`, {
      wanted: `≤ ${WANTED.timesNoDatabase} x`,
      met: longer <= WANTED.timesNoDatabase,
    }),
    loadRow(two),
    comparison(
      `2 processes and 1, on ${machine.cores} cores`,
      two,
      `accepts ${faster.toFixed(2)} x as fast, ${quotient(whole, two, endedS).toFixed(2)} x to the last end`,
    ),
    ...drainRows(contacts),
  ];
}

function drainRows({ drains }: NonNullable<Results['contacts']>): Row[] {
  const numbers = median(drains.map(({ rows }) => rows));
  const share = median(drains.map(({ drainS, copyS }) => copyS / drainS));
  const wanted = `≥ ${percent(WANTED.shareOfCopy)}`;
  return [
    { measured: 'contacts: rows by COPY', numbers, seconds: median(drains.map(({ copyS }) => copyS)) },
    { measured: 'contacts: rows by the loop', numbers, seconds: median(drains.map(({ drainS }) => drainS)) },
    comparison('the loop and COPY', drains, `${percent(share)} of COPY`, { wanted, met: share >= WANTED.shareOfCopy }),
  ];
}

function acceptedS(load: ContactsLoad): number {
  return load.acceptedS;
}

function endedS(load: ContactsLoad): number {
  return load.endedS ?? Number.NaN;
}

/** The seconds of `loads` divided by those of `others`, round by round; the median. */
function quotient(
  loads: readonly ContactsLoad[],
  others: readonly ContactsLoad[],
  seconds: (load: ContactsLoad) => number,
): number {
  return median(loads.map((load, round) => seconds(load) / seconds(others[round] as ContactsLoad)));
}

function loadRow(rounds: readonly ContactsLoad[]): Row {
  const [{ way, users }] = rounds as [ContactsLoad];
  const middle = (of: (load: ContactsLoad) => number) => median(rounds.map(of));
  const follows = rounds.some((load) => load.endedS !== undefined);
  const [p50, p99, max] = [middle(({ p50Ms }) => p50Ms), middle(({ p99Ms }) => p99Ms), middle(({ maxMs }) => maxMs)];
  const latency = `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`;
  return {
    measured: `contacts: ${way}`,
    numbers: users,
    seconds: middle(follows ? endedS : acceptedS),
    ratio: follows ? `accepts ${thousands(users / middle(acceptedS))}/s, ${latency}` : latency,
    cpuPerMillion: (middle(({ cpuS }) => cpuS) / users) * MILLION,
  };
}

/** `met` is not judged of few users. */
function comparison(measured: string, [first]: readonly { users: number }[], ratio: string, goal?: Goal): Row {
  const users = first?.users ?? 0;
  const judged = goal && { ...goal, met: users < CONTACTS_JUDGED_FROM ? undefined : goal.met };
  return { measured: `  ${measured}`, numbers: users, ratio, ...(judged && { goal: judged }) };
}
