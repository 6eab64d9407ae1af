import { expect, it } from 'vitest';
import { CONTACT_WAYS, type ContactsLoad, type ContactWay } from '../measure/contacts.js';
import type { Results } from '../results.js';
import { contactsRows } from './contacts-rows.js';
import { judged, results } from './made-up.js';

/** Seconds of each way in a round. */
const SECONDS: Record<ContactWay, number> = {
  'accepted, no database': 8,
  accepted: 10,
  'accepted, an INSERT each': 25,
  'to the last end, no database': 20,
  'to the last end': 36,
  'to the last end, 2 processes': 30,
};

/** Jobs are followed for as long again as accepting took. */
function load(way: ContactWay, acceptedS: number, users = 100_000): ContactsLoad {
  const latency = { p50Ms: 14, p99Ms: 40.4, maxMs: 300 };
  const follows = way.startsWith('to the last end');
  return { way, users, acceptedS, ...(follows && { endedS: 2 * acceptedS }), ...latency, cpuS: 12 };
}

function measured(changed: Partial<Record<ContactWay, number>> = {}, copyS = 4, users?: number): Results {
  const loads = CONTACT_WAYS.map((way) => load(way, { ...SECONDS, ...changed }[way], users));
  return results({ contacts: { loads, drains: [{ users: users ?? 50_000, rows: 400_000, drainS: 10, copyS }] } });
}

it('has a line for each way and each comparison', () => {
  const rows = contactsRows(measured());
  expect(rows.slice(0, 2)).toEqual([
    {
      measured: 'contacts: accepted, no database',
      numbers: 100_000,
      seconds: 8,
      ratio: 'p50 14 ms, p99 40 ms, max 300 ms',
      cpuPerMillion: 120,
    },
    {
      measured: 'contacts: accepted',
      numbers: 100_000,
      seconds: 10,
      ratio: 'p50 14 ms, p99 40 ms, max 300 ms',
      cpuPerMillion: 120,
    },
  ]);
  expect(rows.slice(6, 7)).toEqual([
    {
      measured: 'contacts: to the last end',
      numbers: 100_000,
      seconds: 72,
      ratio: 'accepts 2,778/s, p50 14 ms, p99 40 ms, max 300 ms',
      cpuPerMillion: 120,
    },
  ]);
  expect(rows.slice(9)).toEqual([
    {
      measured: '  2 processes and 1, on 2 cores',
      numbers: 100_000,
      ratio: 'accepts 1.20 x as fast, 1.20 x to the last end',
    },
    { measured: 'contacts: rows by COPY', numbers: 400_000, seconds: 4 },
    { measured: 'contacts: rows by the loop', numbers: 400_000, seconds: 10 },
    { measured: '  the loop and COPY', numbers: 50_000, ratio: '40 % of COPY', goal: { wanted: '≥ 40 %', met: true } },
  ]);
});

it('a goal is met at its limit, and not beyond it', () => {
  expect(judged(contactsRows(measured()))).toEqual([
    ['groups and no database', '80 % of no database', true],
    ['groups and an INSERT each', '2.5 x an INSERT each', true],
    ['to the last end and no database', '1.80 x no database', true],
    ['the loop and COPY', '40 % of COPY', true],
  ]);
  const worse = { accepted: 10.2, 'to the last end': 37 };
  expect(judged(contactsRows(measured(worse, 3.9)))).toEqual([
    ['groups and no database', '78 % of no database', false],
    ['groups and an INSERT each', '2.5 x an INSERT each', false],
    ['to the last end and no database', '1.85 x no database', false],
    ['the loop and COPY', '39 % of COPY', false],
  ]);
});

// A noisy neighbour slows down a whole round.
it('compares within a round, and takes the median of the rounds', () => {
  const rounds = [measured(), measured({ accepted: 80, 'accepted, no database': 64 }), measured({ accepted: 100 })];
  const loads = rounds.flatMap(({ contacts }) => contacts?.loads ?? []);
  const [first] = judged(contactsRows(results({ contacts: { loads, drains: [] } })));
  expect(first).toEqual(['groups and no database', '80 % of no database', true]);
});

it('few users are not judged', () => {
  const goals = contactsRows(measured({}, 4, 9_999)).flatMap(({ goal }) => (goal ? [goal.met] : []));
  expect(goals).toEqual([undefined, undefined, undefined, undefined]);
});

it('has no line for a run from before they were measured, or without them', () => {
  expect(contactsRows(results({}))).toEqual([]);
  expect(contactsRows(results({ contacts: { loads: [], drains: [] } }))).toEqual([]);
});
