import { expect, test } from 'vitest';
import { Chores } from './chores.js';
import type { Log } from './telemetry/log.js';

test('a chore that fails is told in the log and keeps none of the others', async () => {
  const lines: unknown[] = [];
  const chores = new Chores({
    error: (fields: object, text: string) => lines.push({ ...fields, text }),
  } as unknown as Log);
  const done: string[] = [];
  const away = new Error('away');
  chores.add('sweeping the yard', () => Promise.reject(away));
  chores.add('feeding the cat', async () => void done.push('cat'));
  await chores.doAll();
  await chores.doAll();
  expect(done).toEqual(['cat', 'cat']);
  const line = { err: away, text: 'sweeping the yard failed; the next pass tries again' };
  expect(lines).toEqual([line, line]);
});
