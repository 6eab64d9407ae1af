import { expect, test } from 'vitest';
import events from './events.js';

const listed = (over: object = {}) => ({ command: 'list', whose: 'anyone', reason: undefined, limit: 50, ...over });

test.each<[string, object]>([
  ['watch', { command: 'watch' }],
  ['quarantine', listed()],
  ['quarantine list', listed()],
  ['quarantine --reason missing_tenant', listed({ reason: 'missing_tenant' })],
  ['quarantine list --company none --limit 1000', listed({ whose: 'nobody', limit: 1_000 })],
  ['quarantine --company abc1', listed({ whose: ['abc1'] })],
  ['quarantine replay 7', { command: 'replay', which: { id: '7' } }],
  ['quarantine replay --reason invalid_payload', { command: 'replay', which: { reason: 'invalid_payload' } }],
  ['quarantine discard 7', { command: 'discard', id: '7' }],
])('%s is taken', (words, task) => {
  expect(events.task(words.split(' '))).toEqual(task);
});

test.each([
  '',
  'list',
  'watch now',
  'watch --limit 3',
  'quarantine 7',
  'quarantine list 7',
  'quarantine --reason none',
  'quarantine --company Acme!',
  'quarantine --limit 0',
  'quarantine --limit 1001',
  'quarantine --limit',
  'quarantine replay',
  'quarantine replay 0',
  'quarantine replay evt_7',
  'quarantine replay 7 8',
  'quarantine replay 7 --reason invalid_payload',
  'quarantine replay --reason invalid_payload --company abc1',
  'quarantine discard',
  'quarantine discard --reason invalid_payload',
  'quarantine drop 7',
])('"%s" is refused', (words) => {
  expect(events.task(words === '' ? [] : words.split(' '))).toBeUndefined();
});
