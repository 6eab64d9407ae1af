import { expect, test } from 'vitest';
import { Question } from './question.js';

const DEADLINE_MS = 20;

test('those who ask while it is under way share one question', async () => {
  let asked = 0;
  const question = new Question(async () => ++asked, DEADLINE_MS);
  expect(await Promise.all([question.answer(), question.answer()])).toEqual([1, 1]);
  expect(await question.answer()).toBe(2);
});

test('a failure is no answer, and the next one asks again', async () => {
  let asked = 0;
  const question = new Question(async () => {
    if (++asked === 1) throw new Error('down');
    return 'up';
  }, DEADLINE_MS);
  expect([await question.answer(), await question.answer()]).toEqual([undefined, 'up']);
});

test('a silent service gives no answer, and is not asked again until it has answered', async () => {
  let asked = 0;
  let speak = (_: string): void => {};
  const question = new Question(() => {
    asked++;
    return new Promise<string>((resolve) => {
      speak = resolve;
    });
  }, DEADLINE_MS);
  expect([await question.answer(), await question.answer(), asked]).toEqual([undefined, undefined, 1]);
  const answer = question.answer();
  speak('late');
  expect([await answer, asked]).toEqual(['late', 1]);
  void question.answer();
  expect(asked).toBe(2);
});
