import { randomBytes } from 'node:crypto';

/** What names a stream and one read of it. To clients it is one opaque text, the `interationId` of the path. */
export interface StreamToken {
  /** The key of the stream's row. */
  stream: string;
  read: string;
}

const SYMBOLS = '0123456789abcdefghijklmnopqrstuvwxyz';
/** The largest multiple of 36 in a byte: bytes from there on would make the first symbols more likely. */
const FAIR = 252;
const STREAM_LENGTH = 8;
const READ_LENGTH = 4;
const FORM = /^([0-9a-z]{8})([0-9a-z]{4})$/;

/** Undefined: the text cannot be a token, and no stream has to be looked for. */
export function parseToken(text: string): StreamToken | undefined {
  const [, stream, read] = FORM.exec(text) ?? [];
  return stream === undefined || read === undefined ? undefined : { stream, read };
}

/** The text of a token. */
export function tokenText({ stream, read }: StreamToken): string {
  return stream + read;
}

/** The token of a stream that does not exist yet. */
export function newToken(): StreamToken {
  return { stream: someSymbols(STREAM_LENGTH), read: newRead() };
}

/** What a stream's next token may end with. */
export function newRead(): string {
  return someSymbols(READ_LENGTH);
}

function someSymbols(length: number): string {
  let text = '';
  while (text.length < length)
    for (const byte of randomBytes(length - text.length)) if (byte < FAIR) text += SYMBOLS[byte % SYMBOLS.length];
  return text;
}
