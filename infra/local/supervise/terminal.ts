import { styleText } from 'node:util';
import { readEnvironment } from '@disparo/contract';

/** A colour or another style that Node can give to a text on a terminal. */
export type Colour = Parameters<typeof styleText>[0];

/** Whether the output is a terminal, where lines can be overwritten. */
export const interactive = process.stdout.isTTY === true;

const coloured = interactive && readEnvironment().NO_COLOR === undefined;

/** The text in a colour; plain where the output is no terminal or NO_COLOR is set. */
export function colour(style: Colour, text: string): string {
  return coloured && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

/** Prints one line of the command itself. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
