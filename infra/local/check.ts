import { CommandError } from '../../services/command-error.js';
import { say } from './supervise/terminal.js';
import { tool } from './supervise/tool.js';

/** `npm run check`: types, the tests' types, lint and format. Runs all of them and returns 0 when all pass. */
export default async function check(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run check');
  const checks = [
    await tool('typescript/bin/tsc', ['-b', 'consumer/typescript', '.']),
    await tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json']),
    await tool('@biomejs/biome/bin/biome', ['check', '.']),
  ];
  const failed = checks.filter((code) => code !== 0).length;
  say(failed === 0 ? 'Types, lint and format: all good' : `${failed} of ${checks.length} checks failed`);
  return failed === 0 ? 0 : 1;
}
