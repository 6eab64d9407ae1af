import { expect, test } from 'vitest';
import { userAt } from './users.js';

const SOME = 2_000;

test('a seed makes the same users again, another seed none of them', () => {
  const idsOf = (seed: number) => Array.from({ length: SOME }, (_, index) => userAt(seed, index).id);
  expect(userAt(7, 3)).toEqual(userAt(7, 3));
  expect(new Set([...idsOf(7), ...idsOf(8)]).size).toBe(2 * SOME);
});

test('a user is eight rows of four tables in the mean', () => {
  let rows = 0;
  for (let index = 0; index < SOME; index++) {
    const { team, logs } = userAt(1, index);
    rows += 2 + team.projects.length + logs.length;
  }
  expect(rows / SOME).toBeGreaterThan(7.5);
  expect(rows / SOME).toBeLessThan(8.5);
});
