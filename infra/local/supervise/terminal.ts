import { styleText } from 'node:util';
import { readEnvironment } from '@disparo/contract';

/** A colour, or whatever else Node makes of a text on a terminal. */
export type Colour = Parameters<typeof styleText>[0];

/** Whether somebody looks at a terminal that can be written over. */
export const interactive = process.stdout.isTTY === true;

const coloured = interactive && readEnvironment().NO_COLOR === undefined;

/** The text in a colour on a terminal, plain in a file or where NO_COLOR is set. */
export function colour(style: Colour, text: string): string {
  return coloured && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

/** One line of a command's own words. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
