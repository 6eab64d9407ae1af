import { expect, test } from 'vitest';
import { type Outcome, type SentEvent, wrongIn } from './event-report.js';
import type { SignedRequest } from './signed-receiver.js';

const EVENTS: SentEvent[] = [
  { id: 'evt_1', message: { order: 'A-1' } },
  { id: 'evt_2', message: { order: 'A-2' } },
];
const FAILURES = { 'shaky evt_1': 2 };

function request(id: string, turn: number, status: number): SignedRequest {
  const message = JSON.stringify(EVENTS.find((event) => event.id === id)?.message);
  const body = Buffer.from(JSON.stringify({ data: { id, message } }));
  const arrived = { at: 0, method: 'POST', path: '/', headers: {}, body, id, turn };
  return { ...arrived, status, verified: true, tamperProof: true };
}

/** What both endpoints tell when all went well. */
function outcomes(): [Outcome, Outcome] {
  const statuses = { steady: [[200], [200]], shaky: [[500, 500, 200], [200]] };
  const of = (name: 'steady' | 'shaky'): Outcome => {
    const requests = statuses[name].flatMap((each, index) =>
      each.map((status, turn) => request(EVENTS[index]?.id ?? '', turn + 1, status)),
    );
    const attempts = requests.map(({ id, turn, status }) => {
      return { event_id: id, attempt: turn, at: '', status, error: null, took_ms: 1 };
    });
    return { receiver: { name, requests }, due: 0, dead: 0, attempts };
  };
  return [of('steady'), of('shaky')];
}

test('nothing is wrong when each event came as often as it had to', () => {
  expect(wrongIn(outcomes(), EVENTS, FAILURES)).toEqual([]);
});

const firstOf = ({ receiver }: Outcome) => receiver.requests[0] as SignedRequest;

test.each<[string, (outcome: Outcome) => unknown, string]>([
  ['is due', (outcome) => outcome.due++, '1 deliveries are due and 0 were given up'],
  ['was given up', (outcome) => outcome.dead++, '0 deliveries are due and 1 were given up'],
  [
    'has no attempt in the log',
    (outcome) => outcome.attempts.pop(),
    'the API tells of other attempts: [[500,500,200],[]]',
  ],
  [
    'came once more',
    ({ receiver }) => receiver.requests.push(request('evt_2', 2, 200)),
    'other requests came: evt_1 500, evt_1 500, evt_1 200, evt_2 200, evt_2 200',
  ],
  [
    'is of nobody',
    ({ receiver }) => receiver.requests.push(request('evt_9', 1, 200)),
    'other requests came: evt_1 500, evt_1 500, evt_1 200, evt_2 200, evt_9 200',
  ],
  ['has a wrong signature', (outcome) => Object.assign(firstOf(outcome), { verified: false }), 'a signature is wrong'],
  [
    'may be changed',
    (outcome) => Object.assign(firstOf(outcome), { tamperProof: false }),
    'a changed byte was not noticed',
  ],
  [
    'has other bytes at an attempt',
    ({ receiver }) => receiver.requests[1]?.body.write(' ', 0),
    'an attempt had other bytes',
  ],
  [
    'tells another message',
    ({ receiver }) => receiver.requests.at(-1)?.body.subarray(-7, -6).fill('x'),
    'a message is not the one that was sent',
  ],
])('a delivery that %s is named', (_, spoil, line) => {
  const [steady, shaky] = outcomes();
  spoil(shaky);
  expect(wrongIn([steady, shaky], EVENTS, FAILURES)).toEqual([`shaky: ${line}`]);
});
