import { CommandError } from './command-error.js';
import { withServices } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/** By the language that a suite tests. */
const SUITES: Record<string, (filters: string[]) => string[]> = {
  typescript: (filters) => ['node_modules/vitest/vitest.mjs', 'run', ...filters],
};

/** `npm test [-- --only typescript] [-- filters]`: the suites on real services. Answers the exit code of the first that fails. */
export default async function test(args: string[]): Promise<number> {
  const { only, filters } = parse(args);
  // The runner's own last lines are to be the last: nothing of ours follows them.
  let quiet = false;
  const untilRunning = (line: string) => {
    if (!quiet) say(line);
  };
  return withServices(untilRunning, { wait: true }, async ({ supervisor, env }) => {
    quiet = true;
    for (const name of only) {
      const code = await supervisor.foreground({ name, args: SUITES[name]?.(filters) ?? [], env });
      if (code !== 0) return code;
    }
    return 0;
  });
}

function parse(args: string[]): { only: string[]; filters: string[] } {
  const names = Object.keys(SUITES);
  const at = args.indexOf('--only');
  if (at < 0) return { only: names, filters: args };
  const wanted = args[at + 1] ?? '';
  if (!names.includes(wanted)) throw new CommandError(`--only takes one of: ${names.join(', ')}`);
  return { only: [wanted], filters: args.toSpliced(at, 2) };
}
