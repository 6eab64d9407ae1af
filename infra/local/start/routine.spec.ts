import { expect, test } from 'vitest';
import { campaignsIn, isRoutine } from './routine.js';

const entry = (fields: object) => JSON.stringify({ level: 30, time: '2026-11-24T09:05:07.000Z', ...fields });
const batch = entry({ msg: 'batch settled', campaigns: [{ id: 'cone', status: 'enviando' }, { id: 'ctwo' }] });
const published = entry({ msg: 'publishing ended', campaign_id: 'cone', outcome: 'all' });

test.each([
  'ANY /api/users (λ: api)',
  'GET / (λ: api)',
  'POST /api/campaigns?x=1 (λ: api)',
  '(λ: api) RequestId: f90fcf4d  Duration: 2615.60 ms  Billed Duration: 2616 ms',
  '(λ: dispatch) RequestId: 417d0cdc  Duration: 215.02 ms  Billed Duration: 216 ms',
  'Successfully invoked scheduled function: [ingest]',
  'Successfully invoked scheduled function: [webhooks]',
  entry({ msg: 'answered', status: 201 }),
  entry({ msg: 'answered', status: 404 }),
  batch,
  published,
  entry({ msg: 'events settled', stored: 500 }),
  entry({ msg: 'webhooks settled', delivered: 3, failed: 1 }),
])('%s is routine', (line) => {
  expect(isRoutine(line)).toBe(true);
});

test.each([
  entry({ msg: 'answered', status: 500 }),
  entry({ msg: 'answered', status: 503 }),
  entry({ msg: 'batch settled', level: 40 }),
  entry({ msg: 'messages are in quarantine', level: 40 }),
  entry({ msg: 'an endpoint is disabled: it answered 410', level: 40 }),
  entry({ msg: 'the broker did not take a chunk', level: 40 }),
  entry({ msg: 'a bug: the request failed', level: 50 }),
  entry({ msg: 'a duty is done', duty: 'dispatch', published: 1 }),
  entry({ msg: 'accepted an uploaded file' }),
  entry({ msg: 'receiving' }),
  'Server ready: http://127.0.0.1:3000',
  'Failed to invoke scheduled function: [ingest]',
  '✖ Error: something broke',
  '    at Object.<anonymous> (/x/api.js:1:1)',
  'Warning: (λ: api) RequestId: said by somebody else',
])('%s is shown', (line) => {
  expect(isRoutine(line)).toBe(false);
});

test('a batch and a publishing tell of their campaigns, other lines of none', () => {
  expect([batch, published, entry({ msg: 'a duty is done' }), 'batch settled'].map(campaignsIn)).toEqual([
    ['cone', 'ctwo'],
    ['cone'],
    [],
    [],
  ]);
});
