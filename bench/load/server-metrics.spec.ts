import { expect, test } from 'vitest';
import { sumOf } from './server-metrics.js';

test('a metric is summed over its labels, and no other one counts', () => {
  const text = '# HELP a x\n# TYPE a gauge\na{process="1"} 10\na{process="2"} 2.5e1\nab 7\n';
  expect([sumOf(text, 'a'), sumOf(text, 'ab'), sumOf(text, 'b')]).toEqual([35, 7, undefined]);
});
