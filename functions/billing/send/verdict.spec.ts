import { expect, test } from 'vitest';
import type { MailResult } from './smtp/smtp.js';
import { verdictOf } from './verdict.js';

const said = (result: 'sent' | 'refused' | 'later'): MailResult => ({ result, response: '4.2.1 no' });
const guessed = (result: 'unsent' | 'unknown'): MailResult => ({ result, reason: 'gone' });
const whats = (result: MailResult, unknown: 'hold' | 'resend', wasUnknown = false) =>
  [0, 1, 2, 3, 4, 5, 6, 7].map((answered) => {
    const { what, againMinutes } = verdictOf(result, { answered, wasUnknown, unknown });
    return againMinutes === null ? what : `${what} ${againMinutes}`;
  });
const STEPS = ['depois 1', 'depois 5', 'depois 15', 'depois 60', 'depois 240', 'depois 720'];

test.each(['hold', 'resend'] as const)(
  'a mail that is not sent goes again six times, and has then failed: %s',
  (unknown) => {
    expect(whats(said('later'), unknown)).toEqual([...STEPS, 'recusada', 'recusada']);
  },
);

test('what is unknown is held, or goes again as often, and has never failed', () => {
  expect(whats(guessed('unknown'), 'hold')).toEqual(Array(8).fill('desconhecida'));
  expect(whats(guessed('unknown'), 'resend')).toEqual([...STEPS, 'desconhecida', 'desconhecida']);
});

test('only a 2xx is sent, and what was nobody’s fault costs the mail nothing', () => {
  expect(whats(said('sent'), 'hold')).toEqual(Array(8).fill('enviada'));
  expect(whats(said('refused'), 'resend')).toEqual(Array(8).fill('recusada'));
  expect(verdictOf(guessed('unsent'), { answered: 6, wasUnknown: false, unknown: 'hold' })).toEqual({
    what: 'depois',
    said: null,
    againMinutes: null,
  });
});

test('an attempt of which nothing is known counts as one that had a response', () => {
  expect(verdictOf(guessed('unknown'), { answered: 0, wasUnknown: false, unknown: 'resend' }).said).toBe(
    'unknown: gone',
  );
});

test('a mail that may have been read before has not failed, where nobody has decided about it', () => {
  expect(whats(said('refused'), 'resend', true)).toEqual(Array(8).fill('desconhecida'));
  expect(whats(said('later'), 'resend', true)).toEqual([...STEPS, 'desconhecida', 'desconhecida']);
  expect(whats(said('refused'), 'hold', true)).toEqual(Array(8).fill('recusada'));
});
