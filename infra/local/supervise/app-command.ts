import type { Command } from '../../../functions/platform/command.js';
import { CommandError } from '../../../services/command-error.js';
import { runAlone, runReadOnly } from './session.js';

/** The arguments of `node` for an entry of the app, such as `server`. Its stacks name the source, not the bundle. */
export function appScript(entry: string, ...args: string[]): string[] {
  return ['--enable-source-maps', `dist/bundle/${entry}.js`, ...args];
}

/**
 * `npm run <name>` for a command that functions/commands declares: runs it in its own process, with the services that it
 * needs. Returns its exit code.
 */
export async function runAppCommand(name: string, command: Command<unknown>, args: string[]): Promise<number> {
  const task = command.task(args);
  if (task === undefined) throw new CommandError(`usage: ${command.usage}`);
  const options = { name, args: appScript('command', name, ...args) };
  const reads = command.reads(task);
  return reads ? runReadOnly(options, reads, command.draws?.(task)) : runAlone(options, undefined, command.needs);
}
