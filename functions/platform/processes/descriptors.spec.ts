import { expect, test } from 'vitest';
import type { Log } from '../telemetry/log.js';
import { warnOfDescriptors } from './descriptors.js';

test.each([
  [18_000, 18_499, 1],
  [18_000, 18_500, 0],
  [18_000, 'unlimited', 0],
])('%d sockets in a process that may open %s: %d warnings', (sockets, limit, warnings) => {
  const said: [object, string][] = [];
  const silent = () => {};
  const log: Log = { debug: silent, info: silent, error: silent, warn: (...given) => said.push(given) };
  warnOfDescriptors(
    sockets,
    log,
    `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${limit}     20000  files\n`,
  );
  expect(said).toHaveLength(warnings);
  for (const [fields, sentence] of said) {
    expect(fields).toMatchObject({ descriptors: limit, API_MAX_CONNECTIONS: sockets });
    expect(sentence).toMatch(/ulimit -n/);
  }
});
