import { describe, expect, test } from 'vitest';
import { NotUtf8, ValidationProblem } from './problem.js';

const SHORT = 4_096;

/** A problem with `count` errors at one path. */
function problem(path: string, count: number): ValidationProblem {
  return new ValidationProblem(Array.from({ length: count }, () => ({ path, message: 'is not known here' })));
}

describe('what is wrong with a request', () => {
  test.each(['\u0001', '\\', 'x', '😀', 'é'])(
    'is told in less than 4 KiB, whatever its fields are called: %j',
    (character) => {
      const path = character.repeat(100_000);
      for (const each of [problem(path, 200_000), new NotUtf8(path)])
        expect(Buffer.byteLength(JSON.stringify(each.body()))).toBeLessThan(SHORT);
    },
  );

  test('names ten fields, three of them in the sentence, and how many more there are', () => {
    const { detail, errors } = problem('a', 25).body();
    expect([detail, (errors as unknown[]).length]).toEqual([
      'a: is not known here; a: is not known here; a: is not known here; and 22 more',
      10,
    ]);
  });

  test('is cut between two characters', () => {
    const { extra } = problem(`x${'😀'.repeat(40)}`, 1);
    expect(extra?.errors).toEqual([{ path: `x${'😀'.repeat(19)}...`, message: 'is not known here' }]);
  });
});
