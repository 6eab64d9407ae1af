import { expect, test } from 'vitest';
import { CommandError } from '../../services/command-error.js';
import faults from './faults.js';

test.each([
  ['cluster', '--case', 'nobody'],
  ['cluster', '--case'],
  ['cluster', 'cobol'],
  ['cluster', 'go', '--minutes', '3'],
  ['go', '--case', 'partition'],
  ['--minutes', '0'],
])('%s %s %s is refused with one line of usage, before anything is built', async (...args) => {
  await expect(faults(args)).rejects.toThrow(CommandError);
  await expect(faults(args)).rejects.toThrow(/^usage: [^\n]*$/);
});
