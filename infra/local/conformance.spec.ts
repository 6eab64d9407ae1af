import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireCases, requireKnownCases } from './suites.js';

const KNOWN =
  'several languages on one queue > what typescript declares, every other accepts, on the broker and in the store';

test.each([
  { args: ['all', 'typo'], line: 'There is no case that matches typo\n' },
  { args: ['go', 'across/across'], line: 'There is no case that matches across/across\n' },
  { args: ['typescript', 'cases/drain', '-t', 'typo'], line: 'There is no case that matches cases/drain -t typo\n' },
])('conformance $args matches no case: one line and a failure, before anything is started', ({ args, line }) => {
  const run = spawnSync(process.execPath, ['infra/local/run.mjs', 'conformance', ...args], { encoding: 'utf8' });
  expect([run.status, run.stdout, run.stderr]).toEqual([78, '', expect.stringMatching(new RegExp(`${line}$`))]);
});

test('a filter may match cases of one suite only', () => {
  expect(() => requireCases(['rust', 'all'], ['across/across'])).not.toThrow();
});

test('a line of known-failing/ that names no case is refused, one that names a case is not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'disparo-known-'));
  const list = join(folder, 'all.txt');
  writeFileSync(list, `${KNOWN}\n`);
  expect(() => requireKnownCases(['all'], folder)).not.toThrow();
  writeFileSync(list, `${KNOWN}\ndrain > typo\n`);
  expect(() => requireKnownCases(['all'], folder)).toThrow(`${list}: there is no case drain > typo`);
  rmSync(folder, { recursive: true });
});

test('the lists of known failures name cases that there are', () => {
  expect(() => requireKnownCases(['typescript', 'rust', 'go', 'all'])).not.toThrow();
});
