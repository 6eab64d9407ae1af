import { CommandError } from '../../services/command-error.js';

/** The whole number that an option of a command has. Throws CommandError, which names the option, for any other text. */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= most) return value;
  throw new CommandError(
    `${name} must be a whole number from ${least} to ${most.toLocaleString('en')}, and not "${text}"`,
  );
}
