import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import type { Verdict } from './admit.js';
import { Delivery, type Reason } from './decode.js';
import { acknowledgementsOf, type Outcome, outcomeOf } from './settle.js';

const dead = (reason: Reason) => ({ reason, detail: 'a code and a path' });

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
      { gets: 'dead letter', reason: 'refused_by_store', detail: 'mongodb 121' },
    ],
  ])('%s', (_name, verdict, refused, outcome) => {
    expect(outcomeOf(verdict, refused)).toEqual(outcome);
  });
});

describe('step 6: a delivery that is held is never acknowledged with those behind it', () => {
  it.each<[string, boolean, string[]]>([
    ['ggg', false, ['up to 3']],
    ['gg', true, ['1', '2']],
    ['gbgg', false, ['up to 1', '3', '4']],
    ['bgb', false, ['2']],
    ['ggb', false, ['up to 2']],
    ['bb', false, []],
    ['gbg', true, ['1', '3']],
  ])('good and bad ones in a row: %s, one of a batch before is held: %s', (row, heldBefore, expected) => {
    const outcomes = new Map(
      [...row].map((kind, index): [Delivery, Outcome] => [
        delivery(index + 1),
        kind === 'g' ? { gets: 'acknowledged', as: 'stored' } : { gets: 'dead letter', ...dead('not_json') },
      ]),
    );
    const said = acknowledgementsOf(outcomes, heldBefore).map(
      ({ delivery: { message }, multiple }) => `${multiple ? 'up to ' : ''}${message.fields.deliveryTag}`,
    );
    expect(said).toEqual(expected);
  });
});

function delivery(deliveryTag: number): Delivery {
  return new Delivery({ content: Buffer.from('{'), fields: { deliveryTag }, properties: {} } as ConsumeMessage);
}
