import { describe, expect, it } from 'vitest';
import type { Verdict } from './admit.js';
import type { Reason } from './decode.js';
import { type Outcome, outcomeOf } from './settle.js';

const dead = (reason: Reason) => ({ reason, detail: '/a path and a rule' });

describe('step 6: what a delivery gets', () => {
  it.each<[string, Verdict, boolean, Outcome]>([
    ['malformed', dead('not_json'), false, { gets: 'dead letter', ...dead('not_json') }],
    ['unknown', dead('unknown_chunk'), false, { gets: 'dead letter', ...dead('unknown_chunk') }],
    ['paused, cancelled or deleted', 'let_go', false, { gets: 'acknowledged', as: 'let_go' }],
    ['already stored', 'repeated', false, { gets: 'acknowledged', as: 'repeated' }],
    ['stored and recorded', 'owed', false, { gets: 'acknowledged', as: 'stored' }],
    [
      'refused by the validator',
      'owed',
      true,
      { gets: 'dead letter', reason: 'refused_by_store', detail: '/ must match the validator of the collection' },
    ],
  ])('%s', (_name, verdict, refused, outcome) => {
    expect(outcomeOf(verdict, refused)).toEqual(outcome);
  });
});
