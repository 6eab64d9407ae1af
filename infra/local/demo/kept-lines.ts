import { EXIT } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';
import { prettyLine } from '../supervise/log-line.js';
import { ChildDied } from '../supervise/supervisor.js';
import { say } from '../supervise/terminal.js';

const KEPT_LINES = 15;

/**
 * Does the work with children whose output is not shown: `keep` takes the lines of a child, by its name. Prints the last of
 * them when something broke, and not when what the person gave is wrong, or the person has stopped the demo.
 */
export async function keepingLines<T>(
  work: (keep: (name: string) => (line: string) => void) => Promise<T>,
): Promise<T> {
  const lines: string[] = [];
  const keep = (name: string) => (line: string) => {
    lines.push(`  ${name} | ${prettyLine(line)}`);
    if (lines.length > KEPT_LINES) lines.shift();
  };
  try {
    return await work(keep);
  } catch (error) {
    if (error instanceof ChildDied || (error instanceof CommandError && error.exitCode === EXIT.bug))
      for (const line of lines) say(line);
    throw error;
  }
}
